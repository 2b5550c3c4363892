"""Exit scores: how sure a timestep is of its answer, in [0, 1], larger is surer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seenn_convert.errors import ArtifactError, InputError

RESERVED = ("fixed", "planned")
"""Names that mean another kind of exit policy in an artifact."""


ROUNDING = 1e-5
"""What a user's score may exceed its range by; it is cut off."""


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


@dataclass(frozen=True)
class ExitScore:
    """An exit score: a name and what computes it. One of your own is handed to ``Options`` and ``load_artifact``.

    Attributes:
        name: What artifacts and reports call it; an identifier.
        of: From evidence to the score of each row, ``(B,)``, in [0, 1], larger is surer.
        reads_run_length: Whether it reads for how many timesteps in a row the answer has been the same.

    Raises:
        InputError: The name cannot be written into an artifact.
    """

    name: str
    of: Callable[[Evidence], Tensor]
    reads_run_length: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that an artifact could not hold."""
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name in RESERVED:
            raise InputError(
                f"an exit score's name must be an identifier, and none of {', '.join(RESERVED)}, got {self.name!r}"
            )
        if not callable(self.of):
            raise InputError(f"the exit score {self.name} must be computed by a function of Evidence, got {self.of!r}")

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Copy and pickle a score of this package by its name: what computes it has no name of its own."""
        return (score_named, (self.name,)) if self in SCORES else super().__reduce__()

    def __call__(self, seen: Evidence) -> Tensor:
        """Return the score of each row, ``(B,)``; one of a user's own is kept within [0, 1]."""
        values = self.of(seen)
        return values if self in SCORES else values.clamp(0, 1)


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


CONFIDENCE = ExitScore("confidence", lambda seen: confidence(seen.logits, seen.temperature))
ENTROPY = ExitScore("entropy", lambda seen: negative_entropy(seen.logits, seen.temperature))
MARGIN = ExitScore("margin", lambda seen: margin(seen.logits, seen.temperature))
GAP = ExitScore("gap", lambda seen: gap(seen.logits, seen.t))
ENERGY = ExitScore("energy", lambda seen: energy(seen.logits, seen.temperature))
PATIENCE = ExitScore("patience", lambda seen: patience(seen.logits, seen.run_length), reads_run_length=True)

SCORES = (CONFIDENCE, ENTROPY, MARGIN, GAP, ENERGY, PATIENCE)
"""The scores that need not be handed in, in the order of ``SCORE_NAMES``."""


def score_named(name: str, own: Sequence[ExitScore] = ()) -> ExitScore:
    """Return the score called ``name``: one of ``SCORES``, or of a user's ``own``.

    Raises:
        InputError: One of ``own`` has the name of another score.
        ArtifactError: There is none of this name.
    """
    known = {score.name: score for score in SCORES}
    for score in own:
        if known.setdefault(score.name, score) is not score:
            raise InputError(f"there are two exit scores called {score.name!r}; give yours another name")
    if name not in known:
        raise ArtifactError(
            f"the exit score {name!r} is none of {', '.join(known)}; if it is your own, hand it over: "
            "load_artifact(path, scores=(...,))"
        )
    return known[name]


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


def scores_of(score: ExitScore, logits: Tensor, temperatures: Tensor) -> Tensor:
    """Return the scores ``(T, N)`` that the exit probe would compute from mean logits ``(T, N, K)``."""
    found = [score.of(seen) for seen in evidence_at(logits, temperatures)]
    if score in SCORES:
        return torch.stack(found)
    _check_own(score, found, logits.shape[1:-1])
    return torch.stack(found).clamp(0, 1)


def _check_own(score: ExitScore, found: Sequence[object], shape: torch.Size) -> None:
    """Raise InputError where a user's score is not one number in [0, 1] per image: thresholds rely on that."""
    for values in found:
        if not isinstance(values, Tensor) or values.shape != shape:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise InputError(f"the exit score {score.name!r} must return a number per image, {tuple(shape)}, not {got}")
        if not bool(((values >= -ROUNDING) & (values <= 1 + ROUNDING)).all()):
            low, high = values.min().item(), values.max().item()
            raise InputError(
                f"the exit score {score.name!r} must lie in [0, 1], but goes from {low:g} to {high:g}; rescale it"
            )


def _lead(values: Tensor, alone: float) -> Tensor:
    """Return the largest of ``values`` ``(B, K)`` less the second, which is ``alone`` where there is no other."""
    if values.shape[-1] == 1:
        return values[..., 0] - alone
    largest = values.topk(2, dim=-1).values
    return largest[..., 0] - largest[..., 1]


def _bounded(values: Tensor) -> Tensor:
    """Return ``x / (1 + x)`` of values of at least 0, infinity included: it keeps their order and ends below 1."""
    return 1 - 1 / (1 + values)
