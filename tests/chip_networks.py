"""Three networks as they are put on chips, and what each target should say of them, by hand from its limits."""

from functools import cache

import torch
from torch import Tensor, nn

from seenn_convert.exporters.check.findings import Fit
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.source import Source
from seenn_convert.workflows.check import check


def five() -> nn.Sequential:
    """Three convolutions with average pooling, two linear layers; 13 nodes."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def vgg() -> nn.Sequential:
    """Six convolutions with max pooling, two linear layers; 19 nodes."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 64), (64, 128), (128, 256)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10))


class Block(nn.Module):
    """Two convolutions and a skip connection, with a projection where the size changes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        stride = 1 if inputs == outputs else 2
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.skip(x))


def resnet() -> nn.Sequential:
    """ResNet-20 with projections: 21 convolutions, 9 sums, 19 activations, pooling, view, linear layer; 52 nodes."""
    blocks, inputs = list[nn.Module](), 16
    for outputs in (16, 16, 16, 32, 32, 32, 64, 64, 64):
        blocks.append(Block(inputs, outputs))
        inputs = outputs
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), *blocks, *ends)


NETWORKS = {"five": (five, (1, 32, 32)), "vgg": (vgg, (3, 32, 32)), "resnet": (resnet, (3, 32, 32))}


@cache
def source(name: str) -> Source:
    """Return one of the three networks as it is read."""
    make, shape = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return read_model(make().eval(), shape)


@cache
def fit(name: str, target: str) -> Fit:
    """Return what the check says of one of the three networks."""
    return check(source(name), target)
