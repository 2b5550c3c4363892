"""What a policy head is made of: the drives pooled to a small grid, two small convolutions, one layer to the exits."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seenn_convert.operators import Affine, Reshape
from seenn_convert.passes.attach_policy import PolicyHead, Reads

FEATURES = 4096
"""Numbers that the pooled inputs of an image have at most: what training keeps of it."""

CHANNELS = (16, 32)
"""Channels of the two convolutions."""

HIDDEN = 64
"""Units of the hidden layer where the inputs are no pictures."""


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


def plan_head(reads: Reads, shapes: Sequence[tuple[int, ...]], seed: int) -> HeadPlan:
    """Return an untrained policy head for inputs of these shapes, without the batch; its weights depend on the seed.

    Pictures, ``(C, H, W)``, are pooled to one grid and go through two convolutions of stride 2. Inputs of another rank
    are pooled to one axis, and go through a hidden layer.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return _of_pictures(reads, shapes) if all(len(shape) == 3 for shape in shapes) else _of_others(reads, shapes)


def normalisation(features: Tensor) -> Affine:
    """Return the layer that gives each channel of ``features`` ``(N, F, *)`` mean 0 and deviation 1."""
    dims = [0, *range(2, features.dim())]
    mean, deviation = features.mean(dims), features.std(dims, correction=0).clamp(min=1e-6)
    shape = (-1, *[1] * (features.dim() - 2))
    return Affine((1 / deviation).reshape(shape), (-mean / deviation).reshape(shape))


def _of_pictures(reads: Reads, shapes: Sequence[tuple[int, ...]]) -> HeadPlan:
    channels = sum(shape[0] for shape in shapes)
    side = max(1, min(*(size for shape in shapes for size in shape[1:]), math.isqrt(FEATURES // channels)))
    side = 2 ** int(math.log2(side))
    branches = tuple((_pool(shape, side),) for shape in shapes)
    first, second = CHANNELS
    trunk = (
        nn.Conv2d(channels, first, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1), nn.ReLU(),
    )  # fmt: skip
    width = second * math.ceil(side / 4) ** 2
    return HeadPlan(reads, branches, (*trunk, Reshape((width,))), width)


def _pool(shape: tuple[int, ...], side: int) -> nn.Module:
    height, width = shape[1:]
    if height % side == 0 and width % side == 0:  # the same numbers, and far faster
        return nn.AvgPool2d((height // side, width // side))
    return nn.AdaptiveAvgPool2d((side, side))


def _of_others(reads: Reads, shapes: Sequence[tuple[int, ...]]) -> HeadPlan:
    each = max(1, FEATURES // len(shapes))
    branches = tuple(_flat(shape, each) for shape in shapes)
    width = sum(min(math.prod(shape), each) for shape in shapes)
    return HeadPlan(reads, branches, (nn.Linear(width, HIDDEN), nn.ReLU()), HIDDEN)


def _flat(shape: tuple[int, ...], most: int) -> tuple[nn.Module, ...]:
    size = math.prod(shape)
    if size <= most:
        return (Reshape((size,)),)
    return (Reshape((1, size)), nn.AdaptiveAvgPool1d(most), Reshape((most,)))
