"""Draw some of many images, each class by its share."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Draw:
    """How some images were drawn from more of them.

    Attributes:
        images: How many there were.
        seed: Of the draw.
    """

    images: int
    seed: int


def drawn(size: int, labels: Tensor | None, count: int, seed: int = 0) -> list[int]:
    """Return ``count`` of the positions below ``size``, drawn at random, in ascending order; all if there are fewer.

    Systematic sampling of the images shuffled within their classes, if ``labels`` ``(N,)`` are given: each image is
    drawn with the same probability, none twice, and a class with a share of s images gets either the whole number below
    s or the one above.
    """
    if count >= size:
        return list(range(size))
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(size, generator=generator)
    if labels is not None:
        shuffled = shuffled[torch.argsort(labels[shuffled], stable=True)]
    # one draw in every stretch of size / count, in whole numbers: position k is floor((k * size + offset) / count)
    offset = torch.randint(size, (1,), generator=generator)
    positions: list[int] = sorted(shuffled[(torch.arange(count) * size + offset) // count].tolist())
    return positions
