"""Small networks that NIR can say, and the artifacts that they are converted to."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

PORTABLE: dict[str, Any] = {
    "neuron": "if", "front": "none", "skips": "spiking", "depthwise": "spiking", "encode": "never", "correction": "bias",
}  # fmt: skip
"""Options of ``convert`` for NIR."""

SHAPE, TIMESTEPS = (2, 8, 8), 6


class Chain(nn.Module):
    """Convolutions with groups, dilation and a flat kernel, average pooling, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.grouped = nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2)
        self.flat = nn.Conv2d(6, 6, (1, 3), padding=(0, 1), groups=6, bias=False)
        self.hidden, self.head = nn.Linear(24, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(F.relu(self.first(x)), 2)
        x = F.avg_pool2d(F.relu(self.flat(F.relu(self.grouped(x)))), 2)
        return self.head(F.relu(self.hidden(x.flatten(1))))


class Residual(nn.Module):
    """A skip connection, one with a projection, a difference, and pooling over all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third, self.fourth = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.projection, self.head = nn.Conv2d(4, 6, 1, stride=2), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        x = F.relu(x + self.third(F.relu(self.second(x))))
        x = F.relu(self.fourth(x) - self.projection(x))
        return self.head(x.mean((2, 3)))


class Flat(nn.Module):
    """Linear layers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.hidden(x)))


NETWORKS: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "chain": (Chain, SHAPE), "residual": (Residual, SHAPE), "flat": (Flat, (5,)),
}  # fmt: skip


def images_of(name: str, count: int = 48, seed: int = 1) -> Tensor:
    return torch.randn(count, *NETWORKS[name][1], generator=torch.Generator().manual_seed(seed))


def network(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return NETWORKS[name][0]().eval()


@cache
def artifact(name: str) -> Artifact:
    """Return a network converted for NIR, of images that leave at several timesteps."""
    return converted(network(name), images_of(name, 80, seed=0))


def converted(module: nn.Module, images: Tensor, **options: Any) -> Artifact:
    target = ExitTarget(drop=5.0)
    given = {**PORTABLE, "timesteps": TIMESTEPS, "calibration": "fast", "target": target, **options}
    return convert(module, images, Options(**given))
