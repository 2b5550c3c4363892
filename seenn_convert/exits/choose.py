"""Choose how to leave early by what held-out images show: one setting, one chooser."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import ALWAYS, NEVER, ExitTarget, first_exit
from seenn_convert.runtime.policies import ExitPolicy, FixedPolicy, PlannedPolicy, ThresholdPolicy

Order = Literal["path", "preferred", "any"]

ROUNDING = 1e-9
"""What a mean may exceed its limit by."""


@dataclass(frozen=True)
class Setting:
    """Exit thresholds, a plan, both, or neither, and what that does on the images that choose.

    Attributes:
        expected_drop: Points of accuracy expected to be lost against the ANN.
        average_timesteps: Mean exit step. Where there are neither thresholds nor a plan, all images leave together
            after so many.
        thresholds: Score above which a sample leaves, for each timestep; None where no score decides.
        head: Number of the policy head whose plan is the latest exit; None where none plans.
        price: Taken off the plan logits for each timestep.
        reached: Whether the target is met.
        drop_error: Standard error of ``expected_drop``: how far other images of the kind may be from it.
    """

    expected_drop: float
    average_timesteps: float
    thresholds: tuple[float, ...] | None = None
    head: int | None = None
    price: float = 0.0
    reached: bool = True
    drop_error: float = 0.0

    def exit_steps(self, scores: Tensor, planned: Tensor | None = None) -> Tensor:
        """Return when each image leaves, ``(N,)``, 1-based.

        Shapes: ``scores`` ``(T, N)``; ``planned`` ``(N,)``, timesteps by the head at the price, if there is one.
        """
        if self.thresholds is not None:
            steps = first_exit(scores, scores.new_tensor(self.thresholds).unsqueeze(1)) + 1
        else:
            last = len(scores) if self.head is not None else round(self.average_timesteps)
            steps = torch.full_like(scores[0], last, dtype=torch.int64)
        if self.head is None:
            return steps
        assert planned is not None
        return torch.minimum(steps, planned)

    def policy(self, score_name: str) -> ExitPolicy:
        """Return the exit policy that carries the setting out, in a network that computes this score."""
        early = None if self.thresholds is None else ThresholdPolicy(score_name, self.thresholds)
        if self.head is not None:
            return PlannedPolicy(early)
        return early or FixedPolicy(round(self.average_timesteps))


def judged(
    held_out: Readouts,
    thresholds: tuple[float, ...] | None = None,
    planned: Tensor | None = None,
    head: int | None = None,
    price: float = 0.0,
) -> Setting:
    """Return a setting with what it does on held-out images.

    The drop is an expectation: the probability that the ANN gives to its own answer less the one it gives to the
    answer at the exit, averaged. It needs no labels, and a few hundred images tell it far more precisely than
    counting right and wrong answers would. ``planned`` ``(N,)`` are the timesteps by its head at its price.
    """
    setting = Setting(0.0, 0.0, thresholds, head, price)
    steps = setting.exit_steps(held_out.scores, planned)
    worth = held_out.worth.gather(0, steps.unsqueeze(0) - 1).squeeze(0)
    drops = 100 * (held_out.best - worth).double()
    return replace(
        setting,
        expected_drop=float(drops.mean()),
        average_timesteps=float(steps.double().mean()),
        drop_error=float(drops.std(correction=0)) / math.sqrt(len(drops)),
    )


def fixed_settings(held_out: Readouts) -> list[Setting]:
    """Return the settings of stopping all images after the same number of timesteps, from 1 to T."""
    timesteps = held_out.timesteps
    found = [judged(held_out, (NEVER,) * t + (ALWAYS,) * (timesteps - t)) for t in range(timesteps)]
    return [replace(setting, thresholds=None) for setting in found]


def choose(
    settings: Sequence[Setting], target: ExitTarget | None, order: Order = "any", last: int | None = None
) -> Setting:
    """Return the setting that meets ``target``: the fastest for a drop, the most careful for average timesteps.

    Where none meets it, the most careful setting (for a drop) or the fastest one is returned, with ``reached`` False.

    Args:
        settings: What may be chosen, judged on held-out images.
        target: What to reach, a drop or timesteps; None takes the fastest setting of a path.
        order: What the order of the settings says. ``"path"``: they go from careful to fast, whatever was measured.
            ``"any"``: nothing; among equals in what decides the other measure does, then the earlier one wins.
            ``"preferred"``: among equals in what decides the earlier one wins at once.
        last: Position of the fastest setting of a path that may be taken, as a certificate allows; None allows all.
    """
    meets = [_meets(setting, target) for setting in settings]
    fastest = target is None or target.drop is not None
    if any(meets):
        among: Iterable[int] = (position for position, met in enumerate(meets) if met)
    else:
        among, fastest = range(len(settings)), not fastest
    chosen = min(among, key=lambda position: _rank(settings[position], position, fastest, order))
    chosen = chosen if last is None else min(chosen, last)
    return settings[chosen] if meets[chosen] else replace(settings[chosen], reached=False)


def choose_each(settings: Sequence[Setting], budgets: Iterable[float], order: Order = "path") -> list[Setting]:
    """Return what ``choose`` takes for each of these average timesteps, from careful to fast, where one meets them."""
    found: list[Setting] = []
    for budget in sorted(budgets, reverse=True):
        setting = choose(settings, ExitTarget(timesteps=budget), order)
        if setting.reached and not (found and setting is found[-1]):
            found.append(setting)
    return found


def _meets(setting: Setting, target: ExitTarget | None) -> bool:
    if target is None:
        return True
    if target.drop is not None:
        return setting.expected_drop <= target.drop + ROUNDING
    assert target.timesteps is not None
    return setting.average_timesteps <= target.timesteps + ROUNDING


def _rank(setting: Setting, position: int, fastest: bool, order: Order) -> tuple[float, ...]:
    """Return what is smallest for the setting to take: the ``fastest`` one, or the most careful."""
    if order == "path":
        return (-position if fastest else position,)
    measures = (setting.average_timesteps, setting.expected_drop)
    measures = measures if fastest else measures[::-1]
    return measures if order == "any" else measures[:1]
