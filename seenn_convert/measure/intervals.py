"""Confidence intervals for shares, and for the points that one choice loses against another."""

import math

from torch import Tensor

NORMAL_95 = 1.959963984540054
"""How many standard deviations a normal 95 % interval reaches to each side."""


def wilson_interval(successes: int, trials: int, z: float = NORMAL_95) -> tuple[float, float]:
    """Return the 95 % interval of a share, both ends in [0, 1].

    Source: Wilson 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    return mean_interval(share, math.sqrt(share * (1 - share) / trials), trials, z)


def mean_interval(mean: float, error: float, trials: int, z: float = NORMAL_95) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values in [0, 1] from its standard error, both ends in [0, 1].

    It is Wilson's with the variance of the values in place of that of a share, so few values that are all alike do not
    tell their mean exactly.
    """
    centre = (mean + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(error * error + z * z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def points_lost(full: Tensor, right: Tensor) -> tuple[float, float]:
    """Return the points of accuracy lost against another choice on the same images, and half their 95 % interval.

    Both are ``(N,)`` bool. Images on which the two agree say nothing, so this is far narrower than the intervals of two
    shares.
    """
    differences = 100 * (full.double() - right.double())
    deviation = float(differences.std()) if len(differences) > 1 else 0.0
    return float(differences.mean()), NORMAL_95 * deviation / math.sqrt(len(differences))


def is_clearly_better(one: Tensor, other: Tensor, points: float) -> bool:
    """Return whether ``one`` gains ``points`` of accuracy or more on the same images, and no chance explains it.

    Both are ``(N,)`` bool. The gain has to be four of its standard deviations, of at least 20 images.
    """
    lost, half = points_lost(other, one)
    return len(one) >= 20 and -lost >= max(points, 4 * half / NORMAL_95)
