"""Bounds on the mean of bounded losses, by betting against the claim that the mean is too large."""

import math

import torch
from torch import Tensor

LARGEST = 0.9
"""The largest bet, as a share of the one that could lose all."""

_HALVINGS = 60


def rejects(losses: Tensor, epsilon: float, delta: float, lowest: float = 0.0) -> Tensor:
    """Return whether ``losses`` refute "the mean loss is ``epsilon`` or larger", ``(...)`` bool, ``1 - delta`` sure.

    A gambler bets on one image after the other: the wealth is multiplied by ``1 + bet * (epsilon - loss)``. Were the
    mean at least ``epsilon``, the wealth would not grow on average whatever the bets, so by Ville's inequality it ever
    reaches 1 / delta with probability at most delta. A bet is made before its image is seen, and is the larger the
    less the losses before it varied.

    Args:
        losses: ``(..., N)`` in [-1, 1], in random order.
        epsilon: The mean to stay below, at least ``lowest`` and below 1.
        delta: Probability of refuting a claim that is true.
        lowest: The smallest ``epsilon`` for which these bets are made; the larger it is, the larger they may be.

    Source: Waudby-Smith and Ramdas 2024, with the predictable bets of the empirical Bernstein kind.
    """
    losses = losses.double()
    wealth = torch.log1p(_bets(losses, delta, LARGEST / (1 - lowest)) * (epsilon - losses)).cumsum(dim=-1)
    return wealth.amax(dim=-1) >= math.log(1 / delta)


def upper_mean(losses: Tensor, delta: float, lowest: float = 0.0) -> float:
    """Return what the mean of ``losses`` ``(N,)`` is at most, with probability ``1 - delta``; not below ``lowest``.

    The wealth grows with the mean that is claimed, so the means that are not refuted end somewhere.
    """
    low, high = lowest, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = bool(rejects(losses, middle, delta, lowest))
        low, high = (low, middle) if below else (middle, high)
    return high


def lower_mean(losses: Tensor, delta: float) -> float:
    """Return what the mean of ``losses`` ``(N,)`` is at least, with probability ``1 - delta``."""
    return -upper_mean(-losses, delta, lowest=-1.0)


def images_needed(epsilon: float, delta: float) -> int:
    """Return the fewest images, all without a loss, that show a mean of at most ``epsilon``, ``1 - delta`` sure."""
    few, enough = 0, 1
    while not rejects(torch.zeros(enough), epsilon, delta):
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if rejects(torch.zeros(middle), epsilon, delta) else (middle, enough)
    return enough


def _bets(losses: Tensor, delta: float, largest: float) -> Tensor:
    """Return the bet on each loss, ``(..., N)``: from the losses before it alone."""
    count = losses.shape[-1]
    seen = torch.arange(2, count + 2, dtype=torch.float64)
    mean = losses.cumsum(dim=-1) / seen
    variance = (0.25 + (losses - mean).square().cumsum(dim=-1)) / seen
    before = torch.cat([torch.full_like(variance[..., :1], 0.25), variance[..., :-1]], dim=-1)
    return torch.sqrt(2 * math.log(1 / delta) / (count * before)).clamp(max=largest)
