"""Exact bounds on a share from counted failures: what a sample of images says about all images."""

import math

import torch
from torch import Tensor

MOST_IMAGES = 1e18
"""More images than this are called that many."""

_HALVINGS = 60


def binomial_tails(images: int, share: float) -> Tensor:
    """Return ``(images + 1,)`` float64: the probability of at most 0, 1, ..., ``images`` failures of so many trials.

    Summed in logarithms, so that neither the binomial coefficients nor the powers leave the range of a float.
    """
    k = torch.arange(images + 1, dtype=torch.float64)
    choose = math.lgamma(images + 1) - torch.lgamma(k + 1) - torch.lgamma(images - k + 1)
    log_p = choose + k * math.log(share) + (images - k) * math.log1p(-share)
    return log_p.logcumsumexp(0).exp().clamp(max=1)


def binomial_p_values(failures: Tensor, images: int, epsilon: float) -> Tensor:
    """Return how likely so few failures are where the true share is ``epsilon``: p-values against "it is larger"."""
    return binomial_tails(images, epsilon)[failures]


def upper_share(failures: int, images: int, delta: float) -> float:
    """Return the share that the true one is at most, with probability at least ``1 - delta``.

    Source: Clopper and Pearson 1934.
    """
    if failures >= images:
        return 1.0
    low, high = failures / images, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = 0 < middle < 1 and float(binomial_tails(images, middle)[failures]) <= delta
        low, high = (low, middle) if above else (middle, high)
    return high


def lower_share(failures: int, images: int, delta: float) -> float:
    """Return the share that the true one is at least, with probability at least ``1 - delta``."""
    return 1.0 - upper_share(images - failures, images, delta)


def images_needed(epsilon: float, delta: float) -> int:
    """Return the fewest images without any failure that show a share of at most ``epsilon``, ``1 - delta`` sure."""
    return math.ceil(min(math.log(delta) / math.log1p(-epsilon), MOST_IMAGES) - 1e-9)
