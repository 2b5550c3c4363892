"""Exit scores: how sure a timestep is of its answer, in [0, 1], larger is surer."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from seenn_convert.choices import ScoreName

WITH_RUN_LENGTH: frozenset[ScoreName] = frozenset({"patience"})
"""The scores that read for how many timesteps in a row the answer has been the same."""


class Evidence(NamedTuple):
    """What a timestep knows of each row; leading axes may be any, such as ``(T, N)``, and broadcast.

    Attributes:
        logits: ``(B, K)`` mean logits.
        temperature: Softmax temperature of the timestep, ``(B, 1)`` or a number.
        t: Timesteps done, 1 after the first, ``(B,)`` or a number.
        run_length: Timesteps in a row, up to this one, that gave the same answer, ``(B,)`` or a number.
    """

    logits: Tensor
    temperature: Tensor | float = 1.0
    t: Tensor | float = 1.0
    run_length: Tensor | float = 1.0


def confidence(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the largest softmax probability, ``(B,)``, of ``logits`` ``(B, K)`` divided by ``temperature``.

    Source: Li et al. 2023 (SEENN-I).
    """
    return torch.softmax(logits / temperature, dim=-1).amax(dim=-1)


def negative_entropy(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return ``1 - H(p) / log K``, ``(B,)``, of the softmax of ``logits`` ``(B, K)``: 1 is certain, 0 uniform.

    Source: Li et al. 2023 (DT-SNN).
    """
    log_p = torch.log_softmax(logits / temperature, dim=-1)
    return 1 + (log_p.exp() * log_p).sum(dim=-1) / math.log(max(logits.shape[-1], 2))


def margin(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the largest softmax probability less the second, ``(B,)``, of ``logits`` ``(B, K)``."""
    return _lead(torch.softmax(logits / temperature, dim=-1), 0.0)


def gap(logits: Tensor, t: Tensor | float = 1.0) -> Tensor:
    """Return by how much the largest sum of outputs leads after ``t`` timesteps, ``(B,)``: x becomes x / (1 + x).

    ``logits`` ``(B, K)`` are means, so their lead times ``t`` is that of the sums; no temperature goes in.

    Source: top-k cutoff, Wu et al. 2023.
    """
    return _bounded(_lead(logits, -math.inf) * t)


def energy(logits: Tensor, temperature: Tensor | float = 1.0) -> Tensor:
    """Return the log of the summed exponentials, the negative free energy, ``(B,)``, of ``logits`` ``(B, K)``.

    It has either sign and no bound: a positive x becomes (1 + 2x) / (2 + 2x), a negative one 1 less that of -x.

    Source: energy score, Liu et al. 2020.
    """
    scaled = logits / temperature
    largest = scaled.amax(dim=-1)
    free = largest - torch.log_softmax(scaled, dim=-1).amax(dim=-1)
    return (1 + free / (1 + free.abs())) / 2


def patience(logits: Tensor, run_length: Tensor | float = 1.0) -> Tensor:
    """Return how long the answer has been the same, ``(B,)``: k timesteps in a row become k / (1 + k).

    Source: patience, Zhou et al. 2020.
    """
    return _bounded(torch.zeros_like(logits[..., 0]) + run_length)


SCORES: dict[ScoreName, Callable[[Evidence], Tensor]] = {
    "confidence": lambda seen: confidence(seen.logits, seen.temperature),
    "entropy": lambda seen: negative_entropy(seen.logits, seen.temperature),
    "margin": lambda seen: margin(seen.logits, seen.temperature),
    "gap": lambda seen: gap(seen.logits, seen.t),
    "energy": lambda seen: energy(seen.logits, seen.temperature),
    "patience": lambda seen: patience(seen.logits, seen.run_length),
}


def score(name: ScoreName, seen: Evidence) -> Tensor:
    """Return the score called ``name`` of each row, ``(B,)``, in [0, 1]."""
    return SCORES[name](seen)


def next_run_length(run_length: Tensor, previous: Tensor, logits: Tensor) -> Tensor:
    """Return for how many timesteps in a row the answer is the same, ``(B,)``, this one counted.

    Args:
        run_length: ``(B,)``, that of the timestep before, 0 in front of the first.
        previous: ``(B, K)`` mean logits of the timestep before; anything in front of the first.
        logits: ``(B, K)`` mean logits now.
    """
    stays = (previous.argmax(dim=-1) == logits.argmax(dim=-1)) & (run_length > 0)
    return torch.where(stays, run_length + 1, 1)


def evidence_at(logits: Tensor, temperatures: Tensor) -> list[Evidence]:
    """Return what each timestep knew, from the mean logits of all of them: what the exit probe sees, in hindsight.

    Args:
        logits: ``(T, N, K)``.
        temperatures: ``(T,)``.
    """
    run_length, previous, found = logits.new_zeros(logits.shape[1]), logits[0], []
    for t, (now, temperature) in enumerate(zip(logits, temperatures.tolist(), strict=True), 1):
        run_length = next_run_length(run_length, previous, now)
        found.append(Evidence(now, temperature, t, run_length))
        previous = now
    return found


def _lead(values: Tensor, alone: float) -> Tensor:
    """Return the largest of ``values`` ``(B, K)`` less the second, which is ``alone`` where there is no other."""
    if values.shape[-1] == 1:
        return values[..., 0] - alone
    largest = values.topk(2, dim=-1).values
    return largest[..., 0] - largest[..., 1]


def _bounded(values: Tensor) -> Tensor:
    """Return ``x / (1 + x)`` of values of at least 0, infinity included: it keeps their order and ends below 1."""
    return 1 - 1 / (1 + values)
