"""Held-out images choose among heads and thresholds; what is reported is what they do."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting, choose
from seenn_convert.exits.plan_choice import PlanDecision, decide, drop_at, frontier
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split

T, N = 4, 400


SPLIT = Split(tuple(range(N)), tuple(range(N, 2 * N)))


def drawn(seed: int = 0) -> tuple[Readouts, Tensor]:
    """Images that are right from some timestep on; the first head knows it, the second one plans at random.

    The ANN is certain, so an answer is worth 1 or 0. The exit score is no use: it is drawn at random.
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(1, T + 1, (2 * N,), generator=generator)
    right = torch.arange(1, T + 1).unsqueeze(1) >= first
    scores = torch.rand(T, 2 * N, generator=generator)
    blind = torch.randint(1, T + 1, (2 * N,), generator=generator)
    ann_logits = torch.tensor([0.0, 200.0]).expand(2 * N, 2)
    return Readouts(right.long(), scores, ann_logits=ann_logits), torch.stack([first, blind])


def decided(with_scores: bool, target: ExitTarget) -> PlanDecision:
    return decide(*drawn(), SPLIT, with_scores, target)


def test_a_head_that_knows_is_chosen_and_loses_nothing() -> None:
    for with_scores in (False, True):
        decision = decided(with_scores, ExitTarget(drop=0.5))
        assert (decision.choice.head, decision.head) == (0, 0)
        assert decision.choice.expected_drop == 0 and decision.choice.reached
        assert decision.choice.average_timesteps == pytest.approx(2.5, abs=0.2)


def test_what_a_choice_says_is_what_its_exits_do() -> None:
    readouts, planned = drawn()
    held_out = readouts.select(SPLIT.held_out)
    for choice in decided(True, ExitTarget(timesteps=2.0)).ways["both"][::7]:
        plan = planned[choice.head, N:]
        step = choice.exit_steps(held_out.scores, plan)
        assert (step <= plan).all()
        assert choice.average_timesteps == pytest.approx(float(step.double().mean()))
        right = (held_out.answers(step) == 1).double().mean()
        assert choice.expected_drop == pytest.approx(100 * (1 - float(right)), abs=1e-4)


def test_both_rules_alone_are_special_cases() -> None:
    """For every target the choice among all is at least as good as each rule alone."""
    for average in (1.0, 1.5, 2.0, 2.5, 3.0):
        target = ExitTarget(timesteps=average)
        both = decided(True, target)
        for way in ("planned", "score"):
            alone = choose(both.ways[way], target)
            assert not alone.reached or both.choice.expected_drop <= alone.expected_drop


def test_where_thresholds_alone_win_the_best_head_is_named_too() -> None:
    """Here the score knows everything and both heads are blind."""
    readouts, planned = drawn(2)
    knowing = replace(readouts, scores=readouts.worth * 0.8 + 0.1)
    decision = decide(knowing, torch.stack([planned[1], planned[1]]), SPLIT, True, ExitTarget(drop=0.5))
    assert decision.choice.head is None and decision.choice.thresholds is not None
    assert decision.head in (0, 1)


def test_the_frontier_and_what_lies_between() -> None:
    points = [Setting(3.0, 1.0, head=0), Setting(4.0, 1.5, head=1), Setting(1.0, 2.0, head=2)]
    assert [one.head for one in frontier(points)] == [0, 2]
    assert drop_at(points, 1.5) == pytest.approx(2.0)
    assert drop_at(points, 2.0) == pytest.approx(1.0)
    assert drop_at(points, 0.5) is None and drop_at(points, 2.5) is None


def test_planned_choices_follow_their_head() -> None:
    _, planned = drawn()
    alone = decided(False, ExitTarget(drop=0.5)).ways["planned"]
    assert [one.average_timesteps for one in alone] == pytest.approx(planned[:, N:].double().mean(dim=1).tolist())
