"""What an exit is worth to the policy head: the reward of the paper, and one with a fixed price for a timestep."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from seenn_convert.choices import Range, RewardName, settle_numbers, settled_numbers
from seenn_convert.errors import refuse

LEAST_RATE = 0.01
"""Bound of the share of images that are right at once, away from 0 and from 1, where its odds are no weight."""


PRICES = tuple(float(p) for p in torch.logspace(-3.5, -0.5, 24, dtype=torch.float64))
BETAS = tuple(float(b) for b in torch.logspace(2, -1, 24, dtype=torch.float64))


@dataclass(frozen=True)
class PricedReward:
    """An answer counts 1 if it is right, and each timestep behind the first costs ``price``; all images count alike.

    What it maximises is what the exit thresholds maximise, too: accuracy less the price of the average timesteps.

    Attributes:
        settings: Prices, in answers, from careful to fast.
        entropy: Worth of the plan's entropy, in answers a nat.
    """

    settings: tuple[float, ...] = PRICES
    entropy: float = 0.05
    name: ClassVar[RewardName] = "price"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        _check("price", self)

    def losses(self, right: Tensor, setting: float) -> Tensor:
        """Return ``price * k - right`` at exit k, counted from 0."""
        return setting * _exits(right) - right

    def weights(self, right: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(right[0])


@dataclass(frozen=True)
class PaperReward:
    """A right answer at exit k, counted from 0, gets 2 to the power of -k, a wrong one ``-beta``.

    Images that are right at the first timestep count 1, the others ``rate / (1 - rate)`` with the rate of the first, so
    that easy and hard ones have the same weight together.

    Attributes:
        settings: Values of beta, from careful to fast.
        entropy: Worth of the plan's entropy; the paper has none.

    Source: Li et al. 2023 (SEENN-II).
    """

    settings: tuple[float, ...] = BETAS
    entropy: float = 0.0
    name: ClassVar[RewardName] = "paper"

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        _check("beta", self)

    def losses(self, right: Tensor, setting: float) -> Tensor:
        """Return ``beta * (1 - right) - 2**-k * right`` at exit k, over ``1 + beta``: as large for any beta."""
        return (setting * (1 - right) - torch.exp2(-_exits(right)) * right) / (1 + setting)

    def weights(self, right: Tensor) -> Tensor:
        """Return the weights that balance images right at once and others."""
        rate = right[0].mean().clamp(LEAST_RATE, 1 - LEAST_RATE)
        return right[0] + (1 - right[0]) * rate / (1 - rate)


def _check(name: str, reward: PricedReward | PaperReward) -> None:
    problems = settle_numbers(reward, entropy=Range(least=0))
    settings = settled_numbers(reward.settings, Range(least=0))
    if not settings:
        problems.insert(0, f"each {name} must be a number of 0 or more, and there must be one; got {reward.settings!r}")
    refuse(problems)
    object.__setattr__(reward, "settings", settings)


def _exits(right: Tensor) -> Tensor:
    return torch.arange(len(right), dtype=right.dtype).unsqueeze(1)
