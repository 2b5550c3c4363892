"""Whether a share of right answers is what guessing gives, or less."""

import torch
from torch import Tensor

from seenn_convert.measure.intervals import wilson_interval

ABOVE_CHANCE = 0.1
"""Share of the way from chance to always right below which right answers say little."""

CLEARLY = 3.0
"""How many standard deviations below chance chance does not explain."""


def most_frequent(labels: Tensor) -> float:
    """Return the share of the most frequent of ``labels`` ``(N,)``: one answer for all images is right on no more."""
    return float(torch.bincount(labels).max()) / len(labels)


def near_chance(share: float, chance: float) -> bool:
    """Return whether a share of right answers is little more than ``chance`` gives, or less."""
    return share - chance < ABOVE_CHANCE * (1 - chance)


def below_chance(right: int, images: int, chance: float) -> bool:
    """Return whether clearly fewer of the ``images`` are ``right`` than ``chance`` gives."""
    return wilson_interval(right, images, CLEARLY)[1] < chance
