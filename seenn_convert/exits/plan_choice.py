"""Choose among trained policy heads, with or without exit thresholds beside them, on held-out images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.exits.thresholds import (
    ALWAYS,
    NEVER,
    ExitTarget,
    Readouts,
    careful_to_fast,
    first_exit,
    price_thresholds,
)

PRICES = tuple(float(p) for p in torch.logspace(-4, -0.5, 22, dtype=torch.float64))
"""Prices of a timestep for which thresholds are fitted to each plan."""

MOST_HEADS = 24
"""Heads to whose plans thresholds are fitted; of more of them every second, third, ... one."""


@dataclass(frozen=True)
class Plans:
    """What some images showed at every timestep, and what each policy head planned for them.

    Attributes:
        readouts: Scores and worth.
        latest: ``(S, N)`` planned timesteps, from 0, by each of the heads.
    """

    readouts: Readouts
    latest: Tensor


@dataclass(frozen=True)
class PlanChoice:
    """A head, thresholds, or both, and what they do on the held-out images.

    Attributes:
        head: Number of the head, None for none: the thresholds alone decide.
        thresholds: For each timestep, None for none: the plan alone decides.
        expected_drop: Points of accuracy expected to be lost against the ANN.
        average_timesteps: Mean exit step.
        reached: Whether the target is met there.
    """

    head: int | None
    thresholds: tuple[float, ...] | None
    expected_drop: float
    average_timesteps: float
    reached: bool = True


@dataclass(frozen=True)
class PlanDecision:
    """What was chosen, and what it was chosen from.

    Attributes:
        choice: The one taken.
        head: The head to attach: that of the choice, or where it plans nothing the best one for the target.
        ways: Name of a way to decide -> all its choices: ``fixed`` (as many timesteps for all), ``planned``, ``score``
            (thresholds alone), ``both``.
    """

    choice: PlanChoice
    head: int
    ways: Mapping[str, list[PlanChoice]]


def decide(fitting: Plans, held_out: Plans, with_scores: bool, target: ExitTarget) -> PlanDecision:
    """Return the decision for ``target``.

    Args:
        fitting: Images that heads were trained on; thresholds are fitted to them, too.
        held_out: Images that choose.
        with_scores: Whether exit scores may let a sample leave earlier than planned; then the thresholds alone and the
            plans alone are among the choices.
        target: What to reach.
    """
    planned, score = planned_choices(held_out), threshold_choices(fitting, held_out)
    both = combined_choices(fitting, held_out) if with_scores else []
    choice = choose_plan([*score, *planned, *both] if with_scores else planned, target)
    head = choose_plan(planned, target).head if choice.head is None else choice.head
    assert head is not None
    ways = {"fixed": fixed_choices(held_out), "planned": planned, "score": score, "both": both}
    return PlanDecision(choice, head, ways)


def fixed_choices(held_out: Plans) -> list[PlanChoice]:
    """Return what it gives to stop all held-out images after the same number of timesteps, for comparison."""
    timesteps = len(held_out.readouts.scores)
    return [_judged(held_out, None, (NEVER,) * t + (ALWAYS,) * (timesteps - t)) for t in range(timesteps)]


def drop_at(choices: list[PlanChoice], average_timesteps: float) -> float | None:
    """Return the expected drop of a mixture of two choices that has these average timesteps, None where none has.

    The mixture is of the nearest choices of the frontier on either side.
    """
    best = frontier(choices)
    below = [one for one in best if one.average_timesteps <= average_timesteps]
    above = [one for one in best if one.average_timesteps >= average_timesteps]
    if not below or not above:
        return None
    left, right = below[-1], above[0]
    width = right.average_timesteps - left.average_timesteps
    share = 0.0 if width == 0 else (average_timesteps - left.average_timesteps) / width
    return left.expected_drop + share * (right.expected_drop - left.expected_drop)


def planned_choices(held_out: Plans) -> list[PlanChoice]:
    """Return what each head alone does on the held-out images."""
    return [_judged(held_out, head, None) for head in range(len(held_out.latest))]


def threshold_choices(fitting: Plans, held_out: Plans) -> list[PlanChoice]:
    """Return what the exit thresholds do without a plan, from careful to fast, as ``choose_thresholds`` fits them."""
    return [_judged(held_out, None, thresholds) for thresholds in careful_to_fast(fitting.readouts)]


def combined_choices(fitting: Plans, held_out: Plans) -> list[PlanChoice]:
    """Return what heads do with thresholds beside them that were fitted to their plans, one set for each price."""
    readouts, heads = fitting.readouts, len(fitting.latest)
    return [
        _judged(held_out, head, price_thresholds(readouts.scores, readouts.worth, price, fitting.latest[head]))
        for head in range(0, heads, math.ceil(heads / MOST_HEADS))
        for price in PRICES
    ]


def choose_plan(choices: list[PlanChoice], target: ExitTarget) -> PlanChoice:
    """Return the choice that meets ``target``: the fastest for a drop, the most careful for average timesteps.

    Where none meets it, the most careful choice (for a drop) or the fastest one is returned, with ``reached`` False.
    Earlier choices win over equal ones.
    """
    if target.drop is not None:
        meets = [choice for choice in choices if choice.expected_drop <= target.drop]
        if meets:
            return min(meets, key=lambda choice: (choice.average_timesteps, choice.expected_drop))
        best = min(choices, key=lambda choice: (choice.expected_drop, choice.average_timesteps))
    else:
        assert target.timesteps is not None
        limit = target.timesteps
        meets = [choice for choice in choices if choice.average_timesteps <= limit]
        if meets:
            return min(meets, key=lambda choice: (choice.expected_drop, choice.average_timesteps))
        best = min(choices, key=lambda choice: (choice.average_timesteps, choice.expected_drop))
    return PlanChoice(best.head, best.thresholds, best.expected_drop, best.average_timesteps, reached=False)


def frontier(choices: list[PlanChoice]) -> list[PlanChoice]:
    """Return the choices that no other one beats in both, from fast to careful."""
    best: list[PlanChoice] = []
    for choice in sorted(choices, key=lambda one: (one.average_timesteps, one.expected_drop)):
        if not best or choice.expected_drop < best[-1].expected_drop:
            best.append(choice)
    return best


def exits_of(choice: PlanChoice, scores: Tensor, latest: Tensor | None) -> Tensor:
    """Return the timestep, from 0, at which each image leaves, ``(N,)``.

    Args:
        choice: Who decides.
        scores: ``(T, N)``.
        latest: ``(N,)`` planned by the head of the choice; not read where it has none.
    """
    last = torch.full_like(scores[0], len(scores) - 1, dtype=torch.int64)
    if choice.thresholds is not None:
        last = first_exit(scores, scores.new_tensor(choice.thresholds).unsqueeze(1))
    return last if choice.head is None or latest is None else torch.minimum(last, latest)


def _judged(held_out: Plans, head: int | None, thresholds: tuple[float, ...] | None) -> PlanChoice:
    readouts, choice = held_out.readouts, PlanChoice(head, thresholds, 0.0, 0.0)
    step = exits_of(choice, readouts.scores, None if head is None else held_out.latest[head])
    worth = readouts.worth.gather(0, step.unsqueeze(0)).squeeze(0)
    drop = 100 * float((readouts.best - worth).double().mean())
    return PlanChoice(head, thresholds, drop, float((step + 1).double().mean()))
