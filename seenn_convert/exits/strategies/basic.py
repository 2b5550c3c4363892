"""Ways to decide when to stop, to be compared: each is chosen on calibration data and carried out on other data.

A way of one's own implements ``Way`` and joins ``WAYS``.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.data.samples import Samples
from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.exits.thresholds import ALWAYS, NEVER, Readouts, careful_to_fast, first_exit, outcome
from seenn_convert.exits.tune import Split, ann_probabilities
from seenn_convert.ir.scores import SCORE_NAMES, ScoreName, evidence_at, score

GLOBAL_THRESHOLDS = 200
"""How many thresholds are tried where one holds for all timesteps."""


@dataclass(frozen=True, eq=False)
class Record:
    """What all timesteps of one data set showed.

    Attributes:
        logits: ``(T, N, K)`` mean logits.
        ann_logits: ``(N, K)``.
        labels: ``(N,)`` true classes, None where there are none.
        data: The images, for ways that look at them.
        plan: ``(N, T)`` plan logits of the policy head, None where there is none.
    """

    logits: Tensor
    ann_logits: Tensor
    labels: Tensor | None
    data: Samples | None = None
    plan: Tensor | None = None

    @cached_property
    def predictions(self) -> Tensor:
        """Answers ``(T, N)``."""
        return self.logits.argmax(dim=-1)

    @property
    def truth(self) -> Tensor:
        """Labels ``(N,)``, or the ANN's answers where there are none."""
        return self.ann_logits.argmax(dim=-1) if self.labels is None else self.labels


@dataclass(frozen=True, eq=False)
class Grounds:
    """What a way may be chosen from: calibration data alone.

    Attributes:
        record: Of the calibration data.
        split: Which images fit and which choose.
        budgets: Average timesteps for each of which a way should offer a choice.
    """

    record: Record
    split: Split
    budgets: tuple[float, ...]

    @cached_property
    def fitting(self) -> Tensor:
        """Positions of the images that fit."""
        return torch.tensor(self.split.fitting)

    @cached_property
    def held_out(self) -> Tensor:
        """Positions of the images that choose."""
        return torch.tensor(self.split.held_out)

    @cached_property
    def temperatures(self) -> Tensor:
        """Softmax temperatures ``(T,)`` of the timesteps, from the fitting part."""
        return fit_temperatures(self.record.logits[:, self.fitting], self.record.truth[self.fitting])

    @cached_property
    def one_temperature(self) -> Tensor:
        """The one temperature ``(1,)`` that suits all timesteps together best."""
        logits, truth = self.record.logits[:, self.fitting], self.record.truth[self.fitting]
        return fit_temperatures(logits.flatten(0, 1).unsqueeze(0), truth.repeat(len(logits)))

    @cached_property
    def ann_p(self) -> Tensor:
        """Class probabilities ``(N, K)`` of the ANN."""
        return ann_probabilities(self.record.ann_logits, self.record.labels, self.fitting)

    def readouts(self, scores: Tensor, images: Tensor) -> Readouts:
        """Return what some of the images showed, their ``scores`` ``(T, N)`` included."""
        worth = self.ann_p[images].gather(1, self.record.predictions[:, images].t()).t()
        return Readouts(scores[:, images], worth, self.ann_p[images].amax(dim=-1))

    def along(self, path: list[tuple[float, ...]], scores: Tensor) -> list[tuple[float, ...]]:
        """Return the thresholds of ``path``, from careful to fast, that the held-out part chooses for the budgets."""
        held_out = self.readouts(scores, self.held_out)
        averages = [outcome(held_out, thresholds)[1] for thresholds in path]
        fits = [next((i for i, a in enumerate(averages) if a <= budget + 1e-9), None) for budget in self.budgets]
        return [path[i] for i in sorted({i for i in fits if i is not None})]


@dataclass(frozen=True, eq=False)
class Setting:
    """One choice of a way: who stops when on the data that judges.

    Attributes:
        exit_step: ``(N,)``, 1-based.
        thresholds: Where it has some.
        plan_price: What is taken off the plan logits for each timestep; None where no policy head runs.
    """

    exit_step: Tensor
    thresholds: tuple[float, ...] | None = None
    plan_price: float | None = None


class Way(Protocol):
    """One way to decide when to stop."""

    @property
    def name(self) -> str:
        """Name in the comparison's JSON."""
        ...

    @property
    def label(self) -> str:
        """Name for people."""
        ...

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return the choices from careful to fast, made on ``grounds`` alone and carried out on ``record``."""
        ...


@dataclass(frozen=True)
class FixedWay:
    """Every image stops at the same timestep."""

    name: str = "fixed"
    label: str = "all images stop at t"

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return each timestep."""
        timesteps, images = record.predictions.shape
        return [Setting(torch.full((images,), t)) for t in range(timesteps, 0, -1)]


@dataclass(frozen=True)
class ScoreWay:
    """An exit score with a temperature and a threshold for each timestep."""

    score: ScoreName

    @property
    def name(self) -> str:
        """Name of the score."""
        return self.score

    @property
    def label(self) -> str:
        """Name of the score."""
        return self.score

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return the thresholds that the dynamic programme finds for each price, as far as the budgets choose them."""
        known, judged = (scores_of(self.score, r.logits, grounds.temperatures) for r in (grounds.record, record))
        return [_carried_out(thresholds, judged) for thresholds in self.choices(grounds, known)]

    def choices(self, grounds: Grounds, known: Tensor) -> list[tuple[float, ...]]:
        """Return the thresholds from careful to fast, given the scores ``(T, N)`` of the calibration data."""
        return grounds.along(careful_to_fast(grounds.readouts(known, grounds.fitting)), known)


@dataclass(frozen=True)
class GlobalWay:
    """One temperature and one threshold on the confidence for all timesteps: the plain form of SEENN-I.

    Source: Li et al. 2023 (SEENN-I).
    """

    name: str = "global"
    label: str = "one temperature, one threshold"

    def settings(self, grounds: Grounds, record: Record) -> list[Setting]:
        """Return single thresholds that the budgets choose."""
        one = grounds.one_temperature.expand(len(record.logits))
        known, judged = (scores_of("confidence", r.logits, one) for r in (grounds.record, record))
        values = known[:, grounds.fitting].flatten().sort(descending=True).values
        tried = values[torch.linspace(0, len(values) - 1, GLOBAL_THRESHOLDS).long()].tolist()
        path = [(value,) * len(known) for value in dict.fromkeys([NEVER, *tried, ALWAYS])]
        return [_carried_out(thresholds, judged) for thresholds in grounds.along(path, known)]


WAYS: tuple[Way, ...] = (FixedWay(), GlobalWay(), *(ScoreWay(name) for name in SCORE_NAMES))
"""What ``compare`` compares, in the order of its tables."""


def scores_of(name: ScoreName, logits: Tensor, temperatures: Tensor) -> Tensor:
    """Return the score ``(T, N)`` that the exit probe would compute from mean logits ``(T, N, K)``."""
    return torch.stack([score(name, seen) for seen in evidence_at(logits, temperatures)])


def first_right(record: Record) -> Tensor:
    """Return the first timestep whose answer is right, ``(N,)``, 1-based; T where none is."""
    return first_exit((record.predictions == record.truth).double(), 0.5) + 1


def ideal_exit_time(right: Tensor) -> float:
    """Return the average exit time that accuracies alone suggest, if what is right stays right.

    ``right`` is ``(T, N)``. Images count with the first timestep at which as many are right, the others with T.

    Source: AET, Li et al. 2023.
    """
    timesteps, images = right.shape
    counts = right.double().sum(dim=1)
    gained = counts.diff(prepend=counts.new_zeros(1))
    t = torch.arange(1, timesteps + 1, dtype=torch.float64)
    return float((t * gained).sum() + timesteps * (images - counts[-1])) / images


def _carried_out(thresholds: tuple[float, ...], scores: Tensor) -> Setting:
    return Setting(first_exit(scores, scores.new_tensor(thresholds).unsqueeze(1)) + 1, thresholds)
