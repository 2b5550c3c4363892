"""Try settings within a budget: all on a few images, the better half on all of them, the best with more effort."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.exploration import Trial
from seenn_convert.choices import Prefer
from seenn_convert.errors import InputError
from seenn_convert.measure.frontier import rank
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.explore.budget import Budget
from seenn_convert.workflows.explore.settings import command_line

LOOK_IMAGES = 96
"""Images on which all settings are tried first, if there are at least ``LOOK_WORTH`` times as many."""

LOOK_WORTH = 3

BEST = 2
"""Settings that are tried with more effort, beside the default one."""

SLACK = 10.0
"""Points by which a drop on one held-out image may exceed the target in a first look; on n images the root of n
times less. It is about the standard error of a drop of one point."""


@dataclass(frozen=True, eq=False)
class Attempt:
    """A setting that was tried, and on all images the network that it made."""

    options: Options
    trial: Trial
    artifact: Artifact


TOO_LONG, NO_TIME = "it would take about", "no time was left"
"""What a reason begins with why a setting was not tried, if more time would have allowed it."""

Try = Callable[[Options, bool], Attempt]
"""Converts with these options, on a few images if true, and says what that gives."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found.

    Attributes:
        best: The preferred attempt.
        trials: Of all images.
        looked_at: Of a few images.
        left_out: Setting -> why it was not tried on all images.
    """

    best: Attempt
    trials: tuple[Trial, ...]
    looked_at: tuple[Trial, ...]
    left_out: dict[str, str]


class Search:
    """A search on its way: tries settings, and remembers what they gave and the best network so far.

    Args:
        attempt: Tries one.
        budget: What all of them may take.
        images: How many there are.
        base: The setting that is used without exploring.
        prefer: What decides among those that reach the target.
        progress: Told how many trials are over.
    """

    def __init__(
        self, attempt: Try, budget: Budget, images: int, base: Options, prefer: Prefer, progress: Progress = silent
    ) -> None:
        self.attempt, self.budget, self.images, self.base, self.prefer = attempt, budget, images, base, prefer
        self.counter = Counter(progress, "trying settings", 0)
        self.best: Attempt | None = None
        self.trials: dict[str, Trial] = {}
        self.looked_at: dict[str, Trial] = {}
        self.left_out: dict[str, str] = {}

    def run(self, settings: Sequence[Options], rounds: Sequence[Mapping[str, Any]]) -> Found:
        """Return what the settings give: all in the first round, the best so far and ``base`` in the others.

        Raises:
            InputError: Not even ``base`` can be converted.
        """
        going = list(settings)
        if self.images >= LOOK_WORTH * LOOK_IMAGES:
            looked = self._round(going, {"calibration": "fast"}, few=True)
            going = self._and_base(looked[: math.ceil(len(looked) / 2)])
        best: list[Options] = []
        for changed in rounds:
            found = [replace(one, **changed) for one in self._round(going, changed, few=False)]
            best = self._ordered([*best, *found])[:BEST]
            going = self._and_base(best)
        name = command_line(self.base)
        if (self.best is None or not self.best.trial.reached) and name not in self.trials:
            self._attempt(self.base, few=False)
        if self.best is None:
            raise InputError(self.left_out[name])
        return Found(self.best, (*self.trials.values(),), (*self.looked_at.values(),), self.left_out)

    def _round(self, settings: Sequence[Options], changed: Mapping[str, Any], few: bool) -> list[Options]:
        """Return the settings that could be tried with this change, the best first."""
        tried: list[tuple[Options, Options]] = []
        ahead: list[float] = []
        self.counter.total += len(settings)
        for setting in settings:
            options = replace(setting, **changed)
            if self._fits(options, few, min(ahead, default=0.0)) and self._attempt(options, few):
                tried.append((setting, options))
                ahead += [self.budget.expected(options, self.images)] if few else []
            self.counter.add(1)
        order = self._ordered([options for _, options in tried], few)
        return [setting for one in order for setting, options in tried if options is one]

    def _ordered(self, tried: Sequence[Options], few: bool = False) -> list[Options]:
        """Return settings that were tried, the best first."""
        known = self.looked_at if few else self.trials

        def key(options: Options) -> tuple[float, ...]:
            trial = known[command_line(options)]
            return self._rank(trial, SLACK / math.sqrt(trial.images) if few else 0.0)

        return sorted(tried, key=key)

    def _and_base(self, settings: list[Options]) -> list[Options]:
        """Return the settings with ``base`` among them, in whatever preset."""
        there = any(replace(one, calibration=self.base.calibration) == self.base for one in settings)
        return settings if there else [*settings, self.base]

    def _rank(self, trial: Trial, slack: float = 0.0) -> tuple[float, ...]:
        return rank(trial, self.prefer, self.base.target, slack)

    def _fits(self, options: Options, few: bool, ahead: float) -> bool:
        """Return whether a trial fits into the budget, if another one ``ahead`` has to fit, too."""
        needed, left = self.budget.expected(options, LOOK_IMAGES if few else self.images), self.budget.left
        if needed + ahead <= left:
            return True
        going_on = f", {ahead:.0f} s are needed to go on" if ahead else ""
        why = f"{TOO_LONG} {needed:.0f} s{going_on}, and {left:.0f} s were left"
        self.left_out[command_line(options)] = why if left >= 1 else NO_TIME
        return False

    def _attempt(self, options: Options, few: bool) -> bool:
        """Return whether a setting could be converted; what it gives is remembered."""
        start, name = self.budget.spent, command_line(options)
        try:
            found = self.attempt(options, few)
        except InputError as problem:
            self.left_out[name] = str(problem)
            return False
        self.budget.note(options, LOOK_IMAGES if few else self.images, self.budget.spent - start)
        self.left_out.pop(name, None)
        (self.looked_at if few else self.trials)[name] = found.trial
        if not few and (self.best is None or self._rank(found.trial) < self._rank(self.best.trial)):
            self.best = found
        return True
