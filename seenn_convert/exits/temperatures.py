"""A softmax temperature for each timestep: converted networks are far too sure of themselves at early steps."""

import math

import torch
from torch import Tensor

_LOG_RANGE = (-3.0, 5.0)
_LOG_RANGE_IN_SPREADS = (-4.0, 4.0)
_ROUNDS = 30
"""Of halving; what is left of the interval is a millionth of a per cent."""


def fit_temperatures(logits: Tensor, labels: Tensor) -> Tensor:
    """Return ``(T,)`` temperatures, each of which minimises the negative log likelihood at its timestep.

    The likelihood is unimodal in the temperature: it gets better as long as the softmax expects larger logits than
    those of the labels, so halving an interval of its logarithm finds the minimum. The interval lies around 1, and
    around the spread of the logits: those of some networks are small, such as probabilities. The ``logits``
    ``(T, N, K)`` are means; the ``labels`` ``(N,)`` are true classes, or the ANN's answers.

    Source: temperature scaling, Guo et al. 2017.
    """
    logits, (low, high) = logits.double(), _log_range(logits)
    return torch.stack([_best(one, labels, low, high) for one in logits]).exp().float()


def _best(logits: Tensor, labels: Tensor, low: float, high: float) -> Tensor:
    """Return the logarithm, between these bounds, of the best temperature for ``logits`` ``(N, K)``."""
    of_labels = logits.gather(1, labels.unsqueeze(1)).mean()
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        p = torch.softmax(logits / math.exp(middle), dim=-1)
        if torch.linalg.vecdot(p, logits).mean() > of_labels:
            low = middle
        else:
            high = middle
    return of_labels.new_tensor((low + high) / 2)


def _log_range(logits: Tensor) -> tuple[float, float]:
    """Return the logarithms between which the temperatures are searched."""
    spread = float(logits[-1].double().std(dim=-1).mean())
    if not spread > 0:  # all answers alike, or one class
        return _LOG_RANGE
    around = [math.log(spread) + bound for bound in _LOG_RANGE_IN_SPREADS]
    return min(_LOG_RANGE[0], around[0]), max(_LOG_RANGE[1], around[1])


def negative_log_likelihood(logits: Tensor, labels: Tensor, temperatures: Tensor) -> Tensor:
    """Return the mean negative log likelihood at each timestep, ``(T,)``, of ``logits`` ``(T, N, K)``."""
    log_p = torch.log_softmax(logits.double() / temperatures.reshape(-1, 1, 1), dim=-1)
    picked = log_p.gather(2, labels.reshape(1, -1, 1).expand(logits.shape[0], -1, 1))
    return -picked.mean(dim=(1, 2))
