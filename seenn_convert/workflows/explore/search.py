"""Try settings within a budget: all on a few images, the better half on all of them, the best with more effort."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.exploration import Trial
from seenn_convert.choices import Prefer, Preset
from seenn_convert.errors import InputError
from seenn_convert.measure.frontier import rank
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
    """

    def __init__(self, attempt: Try, budget: Budget, images: int, base: Options, prefer: Prefer) -> None:
        self.attempt, self.budget, self.images, self.base, self.prefer = attempt, budget, images, base, prefer
        self.best: Attempt | None = None
        self.trials: dict[Options, Trial] = {}
        self.looked_at: dict[Options, Trial] = {}
        self.left_out: dict[Options, str] = {}

    def run(self, settings: Sequence[Options], presets: Sequence[Preset]) -> Found:
        """Return what the settings give, all in the first preset, and the best and ``base`` in the others, too.

        Raises:
            InputError: Not even ``base`` can be converted.
        """
        going = self._look(settings)
        for preset in presets:
            tried = [one for one in going if self._try(replace(one, calibration=preset))]
            ranks = {one: self._rank(self.trials[replace(one, calibration=preset)]) for one in tried}
            going = self._and_base(sorted(tried, key=ranks.__getitem__)[:BEST])
        if self.best is None:
            self._attempt(self.base, few=False)
        if self.best is None:
            raise InputError(self.left_out[self.base])
        left_out = {command_line(one): why for one, why in self.left_out.items()}
        return Found(self.best, (*self.trials.values(),), (*self.looked_at.values(),), left_out)

    def _look(self, settings: Sequence[Options]) -> list[Options]:
        """Return the better half of the settings by a few images, in the order in which to go on with them."""
        if self.images < LOOK_WORTH * LOOK_IMAGES:
            return [*settings]
        found: dict[Options, tuple[float, ...]] = {}
        for setting in settings:
            options = replace(setting, calibration="fast")
            ahead = min((self.budget.expected(one, self.images) for one in self.looked_at), default=0.0)
            if self._fits(options, LOOK_IMAGES, ahead) and self._attempt(options, few=True):
                trial = self.looked_at[options]
                found[setting] = self._rank(trial, SLACK / math.sqrt(trial.images))
        return self._and_base(sorted(found, key=found.__getitem__)[: math.ceil(len(found) / 2)])

    def _and_base(self, settings: list[Options]) -> list[Options]:
        return settings if self.base in settings else [*settings, self.base]

    def _rank(self, trial: Trial, slack: float = 0.0) -> tuple[float, ...]:
        return rank(trial, self.prefer, self.base.target, slack)

    def _try(self, options: Options) -> bool:
        return self._fits(options, self.images) and self._attempt(options, few=False)

    def _fits(self, options: Options, images: int, ahead: float = 0.0) -> bool:
        """Return whether a trial fits into the budget, if another one ``ahead`` has to fit, too."""
        needed, left = self.budget.expected(options, images), self.budget.left
        if needed + ahead <= left:
            return True
        self.left_out[options] = f"it would take about {needed:.0f} s, and {max(left, 0.0):.0f} s were left"
        return False

    def _attempt(self, options: Options, few: bool) -> bool:
        """Return whether a setting could be converted; what it gives is remembered."""
        start = self.budget.spent
        try:
            found = self.attempt(options, few)
        except InputError as problem:
            self.left_out[options] = str(problem)
            return False
        self.budget.note(options, LOOK_IMAGES if few else self.images, self.budget.spent - start)
        (self.looked_at if few else self.trials)[options] = found.trial
        if not few and (self.best is None or self._rank(found.trial) < self._rank(self.best.trial)):
            self.best = found
        return True
