"""Bounds on the mean of bounded losses, by betting against the claim that the mean is too large."""

import math

import torch
from torch import Tensor

FRACTIONS = (0.9, 0.5, 0.2)
"""Bets, as shares of the largest one that cannot lose all; the wealth is the mean of what they win."""

_HALVINGS = 60


def betting_p_values(values: Tensor, counts: Tensor, epsilon: float) -> Tensor:
    """Return p-values ``(...)`` against "the mean loss is ``epsilon`` or larger".

    A gambler stakes a fixed share on every image: the wealth is multiplied by ``1 + bet * (epsilon - loss)``. Were the
    mean at least ``epsilon``, the wealth would not grow on average, so by Markov's inequality a wealth of w has
    probability at most 1 / w. The bets are fixed before the losses are seen and the product does not depend on their
    order, so images may be sorted by class.

    Args:
        values: ``(V,)`` the losses that occur, at most 1.
        counts: ``(..., V)`` how many images have each.
        epsilon: The mean to stay below, below 1.

    Source: Waudby-Smith and Ramdas 2024, capital processes with fixed bets, diversified.
    """
    bets = torch.tensor(FRACTIONS, dtype=torch.float64) / (1 - epsilon)
    gains = torch.log1p(bets.unsqueeze(1) * (epsilon - values.double()))
    wealth = torch.logsumexp(counts.double() @ gains.t(), dim=-1) - math.log(len(FRACTIONS))
    return torch.exp(-wealth).clamp(max=1)


def upper_mean(losses: Tensor, delta: float) -> float:
    """Return what the mean of ``losses`` ``(N,)``, each in [-1, 1], is at most, with probability ``1 - delta``."""
    values, counts = torch.unique(losses.double(), return_counts=True)
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = bool(betting_p_values(values, counts, middle) <= delta)
        low, high = (low, middle) if below else (middle, high)
    return high


def lower_mean(losses: Tensor, delta: float) -> float:
    """Return what the mean of ``losses`` ``(N,)``, each in [-1, 1], is at least, with probability ``1 - delta``."""
    return -upper_mean(-losses, delta)


def images_needed(epsilon: float, delta: float) -> int:
    """Return the fewest images, all without a loss, that show a mean of at most ``epsilon``, ``1 - delta`` sure."""
    few, enough = 0, 1
    while _without_loss(enough, epsilon) > delta:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if _without_loss(middle, epsilon) <= delta else (middle, enough)
    return enough


def _without_loss(images: int, epsilon: float) -> float:
    return float(betting_p_values(torch.zeros(1), torch.tensor([images]), epsilon))
