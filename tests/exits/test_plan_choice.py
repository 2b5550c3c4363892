"""Held-out images choose among heads and thresholds; what is reported is what they do."""

import pytest
import torch

from seenn_convert.exits.plan_choice import (
    PlanChoice,
    Plans,
    choose_plan,
    decide,
    drop_at,
    exits_of,
    fixed_choices,
    frontier,
    planned_choices,
)
from seenn_convert.exits.thresholds import ALWAYS, NEVER, ExitTarget, Readouts, price_thresholds

T, N = 4, 400


def plans(seed: int = 0) -> Plans:
    """Images that are right from some timestep on; the first head knows it, the second one plans at random.

    The exit score is no use: it is drawn at random.
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(T, (N,), generator=generator)
    worth = (torch.arange(T).unsqueeze(1) >= first).float()
    scores = torch.rand(T, N, generator=generator)
    blind = torch.randint(T, (N,), generator=generator)
    return Plans(Readouts(scores, worth, torch.ones(N)), torch.stack([first, blind]))


def test_a_head_that_knows_is_chosen_and_loses_nothing() -> None:
    for with_scores in (False, True):
        decision = decide(plans(0), plans(1), with_scores, ExitTarget(drop=0.5))
        assert (decision.choice.head, decision.head) == (0, 0)
        assert decision.choice.expected_drop == 0 and decision.choice.reached
        assert decision.choice.average_timesteps == pytest.approx(2.5, abs=0.2)


def test_what_a_choice_says_is_what_its_exits_do() -> None:
    held_out = plans(1)
    for choice in decide(plans(0), held_out, True, ExitTarget(timesteps=2.0)).ways["both"][::7]:
        step = exits_of(choice, held_out.readouts.scores, held_out.latest[choice.head])
        assert (step <= held_out.latest[choice.head]).all()
        assert choice.average_timesteps == pytest.approx(float((step + 1).double().mean()))
        right = held_out.readouts.worth.gather(0, step.unsqueeze(0)).mean()
        assert choice.expected_drop == pytest.approx(100 * (1 - float(right)), abs=1e-4)


def test_both_rules_alone_are_special_cases() -> None:
    """For every target the choice among all is at least as good as each rule alone."""
    for average in (1.0, 1.5, 2.0, 2.5, 3.0):
        target = ExitTarget(timesteps=average)
        both = decide(plans(0), plans(1), True, target)
        for way in ("planned", "score"):
            alone = choose_plan(both.ways[way], target)
            assert not alone.reached or both.choice.expected_drop <= alone.expected_drop


def test_where_thresholds_alone_win_the_best_head_is_named_too() -> None:
    """Here the score knows everything and both heads are blind."""
    one = plans(2)
    readouts = Readouts(one.readouts.worth * 0.8 + 0.1, one.readouts.worth, one.readouts.best)
    blind = Plans(readouts, torch.stack([one.latest[1], one.latest[1]]))
    decision = decide(blind, blind, True, ExitTarget(drop=0.5))
    assert decision.choice.head is None and decision.choice.thresholds is not None
    assert decision.head in (0, 1)


def test_targets_and_what_misses_them() -> None:
    choices = [PlanChoice(0, None, 3.0, 1.0), PlanChoice(1, None, 1.0, 2.0), PlanChoice(2, None, 0.4, 3.0)]
    assert choose_plan(choices, ExitTarget(drop=1.0)).head == 1
    assert choose_plan(choices, ExitTarget(timesteps=2.9)).head == 1
    missed = choose_plan(choices, ExitTarget(drop=0.1))
    assert (missed.head, missed.reached) == (2, False)
    assert choose_plan(choices[1:], ExitTarget(timesteps=1.5)) == PlanChoice(1, None, 1.0, 2.0, reached=False)


def test_the_frontier_and_what_lies_between() -> None:
    points = [PlanChoice(0, None, 3.0, 1.0), PlanChoice(1, None, 4.0, 1.5), PlanChoice(2, None, 1.0, 2.0)]
    assert [one.head for one in frontier(points)] == [0, 2]
    assert drop_at(points, 1.5) == pytest.approx(2.0)
    assert drop_at(points, 2.0) == pytest.approx(1.0)
    assert drop_at(points, 0.5) is None and drop_at(points, 2.5) is None


def test_fixed_choices_stop_all_images_together() -> None:
    held_out = plans(1)
    fixed = fixed_choices(held_out)
    assert [one.average_timesteps for one in fixed] == [1, 2, 3, 4]
    assert fixed[1].expected_drop == pytest.approx(100 * (1 - float(held_out.readouts.worth[1].mean())), abs=1e-4)


def test_planned_choices_follow_their_head() -> None:
    held_out = plans(1)
    assert planned_choices(held_out)[1].average_timesteps == pytest.approx(
        float(held_out.latest[1].double().mean()) + 1
    )


def test_images_that_leave_by_their_plan_do_not_decide_about_a_threshold() -> None:
    """Alone the surer image would wait, as it is wrong now and right later; if it leaves anyway, the other decides."""
    scores, worth = torch.tensor([[0.9, 0.5], [0.9, 0.5]]), torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    free = price_thresholds(scores, worth, 0.1)
    assert free == (NEVER, ALWAYS)
    assert price_thresholds(scores, worth, 0.1, torch.tensor([0, 1])) == (ALWAYS, ALWAYS)
    assert price_thresholds(scores, worth, 0.1, torch.tensor([0, 0])) == (NEVER, ALWAYS)
