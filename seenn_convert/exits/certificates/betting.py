"""Bounds on the mean of bounded losses, by betting against the claim that the mean is too large."""

import math

import torch
from torch import Tensor

from seenn_convert.exits.certificates.bounds import MOST_IMAGES

LARGEST = 0.9
"""The largest bet, as a share of the one that could lose all."""

COUNTED = 1_000_000
"""Images up to which their fewest number is counted, and not estimated."""

_HALVINGS = 60
_STEPS = 10_000


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
    return wealth.amax(dim=-1) >= _log_inverse(delta)


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
    """Return the fewest images, all without a loss, that show a mean of at most ``epsilon``, ``1 - delta`` sure.

    Without a loss the bet on image t of n is ``min(LARGEST, sqrt(8 log(1 / delta) t / n))``, so the log wealth is a
    sum of a rising function of t / n: never below n times its integral, and above it by less than one bet gains. So
    the answer is the quotient of ``log(1 / delta)`` and the integral, or a few images fewer. Up to ``COUNTED`` images
    they are counted, beyond that the quotient is the answer.
    """
    wanted = _log_inverse(delta)
    steep = min(1.0, LARGEST**2 / (8 * wanted))  # share of the images on which the bets still rise
    rising = steep * (torch.arange(_STEPS, dtype=torch.float64) + 0.5) / _STEPS
    gained = steep * float(torch.log1p(epsilon * torch.sqrt(8 * wanted * rising)).mean())
    gained += (1 - steep) * math.log1p(epsilon * LARGEST)
    enough = min(wanted / gained if gained > 0 else MOST_IMAGES, MOST_IMAGES)
    if enough > COUNTED:
        return math.ceil(enough)
    found = max(1, math.ceil(enough))
    while not rejects(torch.zeros(found), epsilon, delta):
        found += 1
    while found > 1 and rejects(torch.zeros(found - 1), epsilon, delta):
        found -= 1
    return found


def _log_inverse(delta: float) -> float:
    """Return ``log(1 / delta)``, also where ``1 / delta`` is beyond all numbers."""
    return math.log(1 / delta) if delta > 1e-300 else -math.log(delta)


def _bets(losses: Tensor, delta: float, largest: float) -> Tensor:
    """Return the bet on each loss, ``(..., N)``: from the losses before it alone."""
    count = losses.shape[-1]
    seen = torch.arange(2, count + 2, dtype=torch.float64)
    mean = losses.cumsum(dim=-1) / seen
    variance = (0.25 + (losses - mean).square().cumsum(dim=-1)) / seen
    before = torch.cat([torch.full_like(variance[..., :1], 0.25), variance[..., :-1]], dim=-1)
    return torch.sqrt(2 * _log_inverse(delta) / (count * before)).clamp(max=largest)
