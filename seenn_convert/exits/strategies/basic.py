"""Strategies for leaving early, to be compared: each is chosen on calibration data and carried out on other data.

A strategy of one's own implements ``ExitStrategy`` and is handed to ``compare``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting, choose_each, fixed_settings, judged
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.exits.thresholds import ALWAYS, NEVER, careful_to_fast, first_exit
from seenn_convert.exits.tune import Split
from seenn_convert.ir.scores import CONFIDENCE, SCORES, ExitScore, scores_of

GLOBAL_THRESHOLDS = 200
"""How many thresholds are tried where one holds for all timesteps."""


@dataclass(frozen=True, eq=False)
class Grounds:
    """What a strategy may be chosen from: calibration data alone.

    Attributes:
        readouts: Of the calibration data, with logits.
        split: Which images fit and which choose.
        budgets: Average timesteps for each of which a strategy should offer a setting.
    """

    readouts: Readouts
    split: Split
    budgets: tuple[float, ...]

    @cached_property
    def temperatures(self) -> Tensor:
        """Softmax temperatures ``(T,)`` of the timesteps, from the fitting part."""
        return self.readouts.temperatures(self.split.fitting)

    @cached_property
    def one_temperature(self) -> Tensor:
        """The one temperature, ``(T,)`` times the same, that suits all timesteps together best."""
        fitting = self.readouts.select(self.split.fitting)
        assert fitting.logits is not None
        logits, truth = fitting.logits.flatten(0, 1).unsqueeze(0), fitting.truth.repeat(fitting.timesteps)
        return fit_temperatures(logits, truth).expand(fitting.timesteps)

    @cached_property
    def _calibrated(self) -> Readouts:
        return replace(self.readouts.with_ann_temperature(self.split.fitting), logits=None)

    def parts(self, scores: Tensor) -> tuple[Readouts, Readouts]:
        """Return the readouts that fit and those that choose, with their share of the ``scores`` ``(T, N)`` of all."""
        scored = replace(self._calibrated, scores=scores)
        return scored.select(self.split.fitting), scored.select(self.split.held_out)


class ExitStrategy(Protocol):
    """One way to decide when to leave."""

    @property
    def name(self) -> str:
        """Name in the comparison's JSON."""

    @property
    def label(self) -> str:
        """Name for people."""

    def scores(self, grounds: Grounds, readouts: Readouts) -> Tensor:
        """Return the exit score ``(T, N)`` that its thresholds are compared with, of any readouts with logits."""

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return the settings from careful to fast, chosen on ``grounds`` alone."""


def carried_out(
    strategy: ExitStrategy, settings: Sequence[Setting], grounds: Grounds, readouts: Readouts
) -> list[Tensor]:
    """Return when each image of ``readouts`` leaves, ``(N,)``, 1-based, by each of the settings of a strategy."""
    scores = strategy.scores(grounds, readouts)
    return [one.exit_steps(scores, None if one.head is None else readouts.planned(one.price)) for one in settings]


@dataclass(frozen=True)
class FixedStrategy:
    """Every image leaves at the same timestep."""

    name: str = "fixed"
    label: str = "all images stop at t"

    def scores(self, grounds: Grounds, readouts: Readouts) -> Tensor:
        """Return the scores as they are: no threshold reads them."""
        return readouts.scores

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return each timestep."""
        return fixed_settings(grounds.parts(grounds.readouts.scores)[1])[::-1]


@dataclass(frozen=True)
class ScoreStrategy:
    """An exit score with a temperature and a threshold for each timestep."""

    score: ExitScore

    @property
    def name(self) -> str:
        """Name of the score."""
        return self.score.name

    @property
    def label(self) -> str:
        """Name of the score."""
        return self.score.name

    def scores(self, grounds: Grounds, readouts: Readouts) -> Tensor:
        """Return the score with the temperatures of the fitting part."""
        assert readouts.logits is not None
        return scores_of(self.score, readouts.logits, grounds.temperatures)

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return the thresholds that the dynamic programme finds for each price, as far as the budgets choose them."""
        fitting, held_out = grounds.parts(self.scores(grounds, grounds.readouts))
        path = careful_to_fast(fitting.scores, fitting.worth)
        return choose_each([judged(held_out, thresholds) for thresholds in path], grounds.budgets)


@dataclass(frozen=True)
class GlobalStrategy:
    """One temperature and one threshold on the confidence for all timesteps: the plain form of SEENN-I.

    Source: Li et al. 2023 (SEENN-I).
    """

    name: str = "global"
    label: str = "one temperature, one threshold"

    def scores(self, grounds: Grounds, readouts: Readouts) -> Tensor:
        """Return the confidence with one temperature."""
        assert readouts.logits is not None
        return scores_of(CONFIDENCE, readouts.logits, grounds.one_temperature)

    def settings(self, grounds: Grounds) -> list[Setting]:
        """Return single thresholds that the budgets choose."""
        fitting, held_out = grounds.parts(self.scores(grounds, grounds.readouts))
        values = fitting.scores.flatten().sort(descending=True).values
        tried = values[torch.linspace(0, len(values) - 1, GLOBAL_THRESHOLDS).long()].tolist()
        path = [(value,) * fitting.timesteps for value in dict.fromkeys([NEVER, *tried, ALWAYS])]
        return choose_each([judged(held_out, thresholds) for thresholds in path], grounds.budgets)


STRATEGIES: tuple[ExitStrategy, ...] = (FixedStrategy(), GlobalStrategy(), *(ScoreStrategy(score) for score in SCORES))
"""What ``compare`` compares, in the order of its tables."""


def first_right(readouts: Readouts) -> Tensor:
    """Return the first timestep whose answer is right, ``(N,)``, 1-based; T where none is."""
    return first_exit(readouts.right.double(), 0.5) + 1


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
