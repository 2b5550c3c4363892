"""A softmax temperature for each timestep: converted networks are far too sure of themselves at early steps."""

import torch
from torch import Tensor

_LOG_RANGE = (-3.0, 5.0)
_ROUNDS = 60


def fit_temperatures(logits: Tensor, labels: Tensor) -> Tensor:
    """Return ``(T,)`` temperatures, each of which minimises the negative log likelihood at its timestep.

    The likelihood is unimodal in the temperature, so a golden-section search on its logarithm finds the minimum. The
    ``logits`` ``(T, N, K)`` are means; the ``labels`` ``(N,)`` are true classes, or the ANN's answers.

    Source: temperature scaling, Guo et al. 2017.
    """
    low = torch.full((logits.shape[0],), _LOG_RANGE[0], dtype=torch.float64)
    high = torch.full_like(low, _LOG_RANGE[1])
    ratio = (5**0.5 - 1) / 2
    for _ in range(_ROUNDS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        left_is_better = negative_log_likelihood(logits, labels, left.exp()) < negative_log_likelihood(
            logits, labels, right.exp()
        )
        high, low = torch.where(left_is_better, right, high), torch.where(left_is_better, low, left)
    return ((low + high) / 2).exp().float()


def negative_log_likelihood(logits: Tensor, labels: Tensor, temperatures: Tensor) -> Tensor:
    """Return the mean negative log likelihood at each timestep, ``(T,)``, of ``logits`` ``(T, N, K)``."""
    log_p = torch.log_softmax(logits.double() / temperatures.reshape(-1, 1, 1), dim=-1)
    picked = log_p.gather(2, labels.reshape(1, -1, 1).expand(logits.shape[0], -1, 1))
    return -picked.mean(dim=(1, 2))
