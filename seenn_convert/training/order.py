"""The order in which images train: set by the seed and the epoch alone, so a course that was cut off goes on in it."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from seenn_convert.data.samples import Samples


def batches_from(
    data: Samples, among: Sequence[int], size: int, seed: int, done: int
) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """Yield batches of ``size`` images, epoch after epoch without an end, behind the first ``done`` of them.

    Each comes with its number and its labels. All images of an epoch serve once, but for a rest smaller than a batch.
    """
    size = min(size, len(among))
    an_epoch = len(among) // size
    number = done
    while True:
        epoch, first = divmod(number, an_epoch)
        order = torch.randperm(len(among), generator=seeded(seed, epoch)).tolist()[first * size : an_epoch * size]
        for images, labels in data.batches(size, [among[place] for place in order]):
            yield number, images, labels
            number += 1


def seeded(*numbers: int) -> torch.Generator:
    """Return a generator that these numbers set."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % (1 << 61)
    return torch.Generator().manual_seed(mixed)
