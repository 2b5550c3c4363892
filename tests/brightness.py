"""Classifiers of the brightness of images, which only the right normalisation of the pixels makes right."""

from functools import cache

import torch
from torch import Tensor, nn

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program

IMAGENET = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
MNIST = Preprocessing(mean=(0.1307,), std=(0.3081,))
HALVES = Preprocessing(mean=(0.5,), std=(0.5,))
WHOLE = Preprocessing(std=(1 / 255,))
COUNT = 200


@cache
def pixels(channels: int) -> tuple[Tensor, Tensor]:
    """Return images ``(N, C, 4, 4)`` uint8 sorted by class: dark, middling or bright, which only a mean tells apart."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(COUNT) * 3 // COUNT
    noise = torch.randint(-20, 21, (COUNT, channels, 4, 4), generator=generator)
    return (60 + 70 * labels.reshape(-1, 1, 1, 1) + noise).to(torch.uint8), labels


def trained(channels: int, used: Preprocessing) -> Program:
    """Return a model that is right on images normalised as in ``used``: its bounds lie between the classes."""
    bright = [float(used.apply(torch.full((1, channels, 4, 4), value / 255)).mean()) for value in (60, 130, 200)]
    head = nn.Linear(1, 3)
    with torch.no_grad():  # -(x - c)^2 without x^2
        head.weight[:, 0] = torch.tensor([2 * one for one in bright])
        head.bias[:] = torch.tensor([-(one**2) for one in bright])

    class Brightness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x.mean((1, 2, 3)).unsqueeze(1))

    return from_torch(Brightness().eval(), (channels, 4, 4))
