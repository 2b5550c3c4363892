"""Choose among trained policy heads, with or without exit thresholds beside them, on held-out images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting, choose, fixed_settings, judged
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import ExitTarget, careful_to_fast, price_thresholds
from seenn_convert.exits.tune import Split

PRICES = tuple(float(p) for p in torch.logspace(-4, -0.5, 22, dtype=torch.float64))
"""Prices of a timestep for which thresholds are fitted to each plan."""

MOST_HEADS = 24
"""Heads to whose plans thresholds are fitted; of more of them every second, third, ... one."""


@dataclass(frozen=True)
class PlanDecision:
    """What was chosen, and what it was chosen from.

    Attributes:
        choice: The one taken.
        head: The head to attach: that of the choice, or where it plans nothing the best one for the target.
        ways: Name of a way to decide -> all its settings: ``fixed`` (as many timesteps for all), ``planned``, ``score``
            (thresholds alone), ``both``.
    """

    choice: Setting
    head: int
    ways: Mapping[str, list[Setting]]


def decide(readouts: Readouts, planned: Tensor, split: Split, with_scores: bool, target: ExitTarget) -> PlanDecision:
    """Return the decision for ``target``, from the timesteps ``planned`` ``(S, N)`` by each of the heads.

    The heads were trained on the fitting part of the ``split``; thresholds are fitted to it, too. Where ``with_scores``
    an exit score may let a sample leave earlier than planned, and the thresholds alone are among the choices, too.
    """
    fitting, held_out = readouts.select(split.fitting), readouts.select(split.held_out)
    plans = planned[:, torch.tensor(split.held_out)]
    alone = [judged(held_out, planned=plan, head=head) for head, plan in enumerate(plans)]
    score = [judged(held_out, thresholds) for thresholds in careful_to_fast(fitting.scores, fitting.worth)]
    both = _combined(fitting, planned[:, torch.tensor(split.fitting)], held_out, plans) if with_scores else []
    choice = choose([*score, *alone, *both] if with_scores else alone, target)
    head = choose(alone, target).head if choice.head is None else choice.head
    assert head is not None
    ways = {"fixed": fixed_settings(held_out), "planned": alone, "score": score, "both": both}
    return PlanDecision(choice, head, ways)


def drop_at(settings: list[Setting], average_timesteps: float) -> float | None:
    """Return the expected drop of a mixture of two settings that has these average timesteps, None where none has.

    The mixture is of the nearest settings of the frontier on either side.
    """
    best = frontier(settings)
    below = [one for one in best if one.average_timesteps <= average_timesteps]
    above = [one for one in best if one.average_timesteps >= average_timesteps]
    if not below or not above:
        return None
    left, right = below[-1], above[0]
    width = right.average_timesteps - left.average_timesteps
    share = 0.0 if width == 0 else (average_timesteps - left.average_timesteps) / width
    return left.expected_drop + share * (right.expected_drop - left.expected_drop)


def frontier(settings: list[Setting]) -> list[Setting]:
    """Return the settings that no other one beats in both, from fast to careful."""
    best: list[Setting] = []
    for setting in sorted(settings, key=lambda one: (one.average_timesteps, one.expected_drop)):
        if not best or setting.expected_drop < best[-1].expected_drop:
            best.append(setting)
    return best


def _combined(fitting: Readouts, known: Tensor, held_out: Readouts, plans: Tensor) -> list[Setting]:
    """Return heads with thresholds beside them that were fitted to their plans, one set for each price."""
    return [
        judged(held_out, price_thresholds(fitting.scores, fitting.worth, price, known[head] - 1), plans[head], head)
        for head in range(0, len(plans), math.ceil(len(plans) / MOST_HEADS))
        for price in PRICES
    ]
