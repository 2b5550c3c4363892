"""Exit policies: who leaves now."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Protocol, TypeGuard

import torch
from torch import Tensor

from seenn_convert.choices import COUNT, SCORE_NAMES, Range, is_whole, settle_numbers, settled_numbers
from seenn_convert.errors import ArtifactError, InputError, refuse
from seenn_convert.ir.scores import ExitScore
from seenn_convert.moved import old_policy


class Readout(NamedTuple):
    """What a timestep shows of each row: mean logits ``(B, K)`` and exit score ``(B,)``.

    ``planned`` ``(B,)`` is the number of timesteps that the policy head chose for each row before the run; None where
    the policy reads no plan.
    """

    logits: Tensor
    score: Tensor
    planned: Tensor | None = None


class ExitPolicy(Protocol):
    """Decides, after each timestep, which rows have their answer.

    A policy with an attribute ``reads_plan`` that is true gets the plan of the policy head (``Readout.planned``).
    """

    @property
    def score_name(self) -> str | None:
        """The score it reads, None where it reads none."""

    def exits(self, readout: Readout, t: Tensor, index: Tensor) -> Tensor:
        """Return the mask ``(B,)`` of rows that leave.

        ``t`` ``(B,)`` counts the timesteps each row has done, 1 after the first; ``index`` ``(B,)`` is the number of
        the sample in the data, for policies that planned ahead.
        """

    def to_json(self) -> dict[str, object]:
        """Return the policy as plain data."""


@dataclass(frozen=True)
class FixedPolicy:
    """Every sample leaves after ``timesteps``."""

    timesteps: int
    score_name: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        """Refuse what is no number of timesteps."""
        refuse(settle_numbers(self, timesteps=COUNT))

    def exits(self, readout: Readout, t: Tensor, index: Tensor) -> Tensor:
        """Return the rows that have done all their timesteps."""
        return t >= self.timesteps

    def to_json(self) -> dict[str, object]:
        """Return the policy as plain data."""
        return {"policy": "fixed", "timesteps": self.timesteps}


@dataclass(frozen=True)
class ThresholdPolicy:
    """A sample leaves at the first timestep whose exit score is above that timestep's threshold.

    Attributes:
        score_name: The score that it reads.
        thresholds: One for each timestep; the last one holds for all later ones. Below 0 everybody leaves.

    Source: Li et al. 2023 (SEENN-I) for the confidence, with a threshold for each timestep.
    """

    score_name: str
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse a policy without thresholds, or with what is no number."""
        thresholds = settled_numbers(self.thresholds, Range())
        if not thresholds:
            raise InputError(f"an exit policy needs at least one threshold, finite numbers, got {self.thresholds!r}")
        if not isinstance(self.score_name, str):
            raise InputError(f"an exit policy reads a score by its name, got {self.score_name!r}")
        object.__setattr__(self, "thresholds", thresholds)

    def exits(self, readout: Readout, t: Tensor, index: Tensor) -> Tensor:
        """Return the rows that are sure enough."""
        thresholds = _on_device(self.thresholds, readout.score.dtype, readout.score.device)
        return readout.score > thresholds[(t - 1).clamp(max=len(self.thresholds) - 1)]

    def to_json(self) -> dict[str, object]:
        """Return the policy as plain data."""
        return {"policy": self.score_name, "thresholds": list(self.thresholds)}


@dataclass(frozen=True)
class PlannedPolicy:
    """Every sample leaves after the number of timesteps that the policy head chose for it before the run, or earlier.

    Attributes:
        early: Decides about leaving before the plan says so; None where the plan alone decides.

    Source: Li et al. 2023 (SEENN-II).
    """

    early: ThresholdPolicy | None = None
    reads_plan: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Refuse what cannot decide."""
        if self.early is not None and not isinstance(self.early, ThresholdPolicy):
            raise InputError(f"a planned policy leaves early by a ThresholdPolicy, got {self.early!r}")

    @property
    def score_name(self) -> str | None:
        """The score it reads, None where the plan alone decides."""
        return None if self.early is None else self.early.score_name

    def exits(self, readout: Readout, t: Tensor, index: Tensor) -> Tensor:
        """Return the rows that have done their planned timesteps, or are sure enough."""
        if readout.planned is None:
            raise InputError("the exit policy follows a plan and there is none; attach a policy head to the network")
        done = t >= readout.planned
        return done if self.early is None else done | self.early.exits(readout, t, index)

    def to_json(self) -> dict[str, object]:
        """Return the policy as plain data."""
        if self.early is None:
            return {"policy": PLANNED}
        return {**self.early.to_json(), "policy": f"{PLANNED}+{self.score_name}"}


@lru_cache(maxsize=64)
def _on_device(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return ``numbers`` as a tensor that need not be copied to the device at every timestep; nobody writes to it."""
    with torch.inference_mode(False):
        return torch.tensor(numbers, dtype=dtype).to(device)


PLANNED = "planned"


def policy_from_json(data: Mapping[str, object], scores: Sequence[ExitScore] = ()) -> ExitPolicy:
    """Return the policy that ``to_json`` wrote; it may read ``scores`` beside those of this package.

    Raises:
        ArtifactError: The data names no known policy, or lacks its number, or that makes no sense.
    """
    kind, timesteps, thresholds = data.get("policy"), data.get("timesteps"), data.get("thresholds")
    if kind == "fixed" and is_whole(timesteps) and timesteps >= 1:
        return FixedPolicy(timesteps)
    if kind == PLANNED:
        return PlannedPolicy()
    score = kind.removeprefix(f"{PLANNED}+") if isinstance(kind, str) else ""
    if score in {*SCORE_NAMES, *(one.name for one in scores)} and _are_finite(thresholds):
        early = ThresholdPolicy(score, tuple(thresholds))
        return PlannedPolicy(early) if score != kind else early
    raise ArtifactError(f"the exit policy {dict(data)!r} is not one this version knows; convert the model again")


def reads_plan(policy: ExitPolicy) -> bool:
    """Return whether ``policy`` needs the plan of a policy head."""
    return bool(getattr(policy, "reads_plan", False))


def planned_timesteps(plan: Tensor, price: float | None = None) -> Tensor:
    """Return the timesteps ``(B,)``, 1-based, that a policy head with the logits ``(B, T)`` chooses: the likeliest.

    A ``price`` is taken off for each timestep. A higher one plans earlier exits, so one head gives a curve.
    """
    if price is not None:
        plan = plan.float()
        plan = plan - price * torch.arange(plan.shape[-1], dtype=plan.dtype, device=plan.device)
    return plan.argmax(dim=-1) + 1


def exit_steps(
    policy: ExitPolicy, scores: Tensor, logits: Tensor | None = None, planned: Tensor | None = None
) -> Tensor:
    """Return the exit step ``(N,)``, 1-based, that ``policy`` would choose from the readouts of all timesteps.

    Shapes: ``scores`` ``(T, N)``; where the policy reads them, ``logits`` ``(T, N, K)`` and ``planned`` ``(N,)``.
    """
    timesteps, samples = scores.shape
    index = torch.arange(samples, device=scores.device)
    steps = torch.full((samples,), timesteps, dtype=torch.int64, device=scores.device)
    for t in range(timesteps, 0, -1):
        at = scores[t - 1]
        readout = Readout(at.unsqueeze(-1) if logits is None else logits[t - 1], at, planned)
        steps[policy.exits(readout, torch.full_like(index, t), index)] = t
    return steps


def _are_finite(thresholds: object) -> TypeGuard[list[float]]:
    if not isinstance(thresholds, list) or not thresholds:
        return False
    return all(isinstance(threshold, float) and math.isfinite(threshold) for threshold in thresholds)


def __getattr__(name: str) -> Any:
    return old_policy(name)
