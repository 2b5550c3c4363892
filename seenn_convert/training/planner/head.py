"""What a policy head is made of: the drives pooled to a small grid, two small convolutions, one layer to the exits."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.choices import Reads
from seenn_convert.ir.operators import Affine, Reshape
from seenn_convert.passes.attach_policy import PolicyHead

FEATURES = 1024
"""Numbers that the pooled inputs of an image have at most: what training keeps of it."""

SIZES: tuple[tuple[int, tuple[int, ...]], ...] = (
    (16, (16, 32)), (8, (16, 32)), (8, (8, 16)), (4, (8, 16)), (4, (4, 8)), (2, (4,)), (1, ()),
)  # fmt: skip
"""Side of the grid and channels of the convolutions, from the largest head to the smallest."""

HIDDEN = (64, 16, 4)
"""Units of the hidden layer where the inputs are no pictures, likewise; at last there is none."""


@dataclass(frozen=True)
class HeadPlan:
    """The parts of a policy head before it is trained.

    Attributes:
        reads: What it is given.
        branches: For each input the layers without parameters that pool it.
        trunk: The layers to train, up to the last.
        width: Features that the trunk ends with.
    """

    reads: Reads
    branches: tuple[tuple[nn.Module, ...], ...]
    trunk: tuple[nn.Module, ...]
    width: int

    def head(self, normalisation: nn.Module, trunk: Sequence[nn.Module], last: nn.Module) -> PolicyHead:
        """Return the head of trained layers."""
        return PolicyHead(self.reads, self.branches, (normalisation, *trunk, last))

    def features(self, inputs: Iterable[Tensor]) -> Tensor:
        """Return the pooled inputs ``(B, F, *)``: all that the layers to train see."""
        return PolicyHead(self.reads, self.branches, ()).features(inputs)


def plan_head(reads: Reads, shapes: Sequence[tuple[int, ...]], timesteps: int, most_macs: float, seed: int) -> HeadPlan:
    """Return the largest untrained policy head within a number of multiply-accumulates, or the smallest there is.

    Pictures, ``(C, H, W)``, are pooled to one grid and go through convolutions of stride 2. Inputs of another rank
    are pooled to one axis, and go through a hidden layer. The ``shapes`` of the inputs are without the batch, and
    ``most_macs`` are for one image.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        if all(len(shape) == 3 for shape in shapes):
            side, channels = _size(shapes, timesteps, most_macs)
            return _of_pictures(reads, shapes, side, channels)
        width = min(FEATURES, sum(map(math.prod, shapes)))
        hidden = next((units for units in HIDDEN if units * (width + timesteps) <= most_macs), 0)
        return _of_others(reads, shapes, hidden)


def normalisation(features: Tensor) -> Affine:
    """Return the layer that gives each channel of ``features`` ``(N, F, *)`` mean 0 and deviation 1."""
    dims = [0, *range(2, features.dim())]
    mean, deviation = features.mean(dims), features.std(dims, correction=0).clamp(min=1e-6)
    shape = (-1, *[1] * (features.dim() - 2))
    return Affine((1 / deviation).reshape(shape), (-mean / deviation).reshape(shape))


def _size(shapes: Sequence[tuple[int, ...]], timesteps: int, most_macs: float) -> tuple[int, tuple[int, ...]]:
    """Return the grid and the channels of the largest head that fits."""
    inputs, smallest = sum(shape[0] for shape in shapes), min(size for shape in shapes for size in shape[1:])
    for side, channels in SIZES:
        macs, width, grid = 0, inputs, side
        for after in channels:
            grid = math.ceil(grid / 2)
            macs, width = macs + grid**2 * 9 * width * after, after
        if side <= smallest and inputs * side**2 <= FEATURES and macs + grid**2 * width * timesteps <= most_macs:
            return side, channels
    return SIZES[-1]


def _of_pictures(reads: Reads, shapes: Sequence[tuple[int, ...]], side: int, channels: tuple[int, ...]) -> HeadPlan:
    trunk: list[nn.Module] = []
    width, grid = sum(shape[0] for shape in shapes), side
    for after in channels:
        trunk += [nn.Conv2d(width, after, 3, stride=2, padding=1), nn.ReLU()]
        width, grid = after, math.ceil(grid / 2)
    branches = tuple((_pool(shape, side),) for shape in shapes)
    return HeadPlan(reads, branches, (*trunk, Reshape((width * grid**2,))), width * grid**2)


def _pool(shape: tuple[int, ...], side: int) -> nn.Module:
    height, width = shape[1:]
    if height % side == 0 and width % side == 0:  # the same numbers, and far faster
        return nn.AvgPool2d((height // side, width // side))
    return nn.AdaptiveAvgPool2d((side, side))


def _of_others(reads: Reads, shapes: Sequence[tuple[int, ...]], hidden: int) -> HeadPlan:
    each = max(1, FEATURES // len(shapes))
    branches = tuple(_flat(shape, each) for shape in shapes)
    width = sum(min(math.prod(shape), each) for shape in shapes)
    trunk = (nn.Linear(width, hidden), nn.ReLU()) if hidden else ()
    return HeadPlan(reads, branches, trunk, hidden or width)


def _flat(shape: tuple[int, ...], most: int) -> tuple[nn.Module, ...]:
    size = math.prod(shape)
    if size <= most:
        return (Reshape((size,)),)
    return (Reshape((1, size)), nn.AdaptiveAvgPool1d(most), Reshape((most,)))
