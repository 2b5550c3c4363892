"""Strategies that read a policy head are chosen on calibration data alone, and contain both pure rules."""

from dataclasses import replace
from itertools import pairwise

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting
from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.exits.strategies.basic import ExitStrategy, Grounds, ScoreStrategy, carried_out
from seenn_convert.exits.strategies.planned import (
    PlannedScoreStrategy,
    PlannedStrategy,
    plan_prices,
    planned_strategies,
)
from seenn_convert.exits.tune import split_calibration
from seenn_convert.ir.scores import CONFIDENCE

T = 6
BUDGETS = tuple(1 + 0.25 * i for i in range(21))


def graded_plan(ann_logits: Tensor) -> Tensor:
    """Return the plan logits of a head that sees how sure the ANN is: the surer, the earlier."""
    sure = ann_logits.softmax(dim=-1).amax(dim=-1)
    wanted = 1 + (T - 1) * 2 * (1 - sure).clamp(max=0.5)
    return -((torch.arange(1, T + 1) - wanted.unsqueeze(1)) ** 2)


def readouts(count: int, seed: int) -> Readouts:
    images, labels = small.draw(count, seed)
    with torch.no_grad():
        ann_logits = small.trained_net()(images)
        found = collect_readouts(small.model(T), [images], ann_logits, labels, keep_logits=True)
    return replace(found, plan=graded_plan(ann_logits))


KNOWN, JUDGED = readouts(120, 31), readouts(90, 32)
GROUNDS = Grounds(KNOWN, split_calibration(120, 0), BUDGETS)
STRATEGIES = planned_strategies(CONFIDENCE)


def outcomes(strategy: ExitStrategy, judged: Readouts = JUDGED, grounds: Grounds = GROUNDS) -> list[tuple[Setting, Tensor]]:
    """Return the settings of a strategy with the exit steps that they come to."""
    settings = strategy.settings(grounds)
    return list(zip(settings, carried_out(strategy, settings, grounds, judged), strict=True))


def expected_drop(step: Tensor) -> float:
    """Return the expected drop on the held-out images, in points."""
    held_out = GROUNDS.parts(torch.zeros(T, 120))[1]
    worth = held_out.worth.gather(0, step.unsqueeze(0) - 1).squeeze(0)
    return 100 * float((held_out.best - worth).double().mean())


def average(step: Tensor) -> float:
    return float(step.double().mean())


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_strategy_goes_from_the_full_run_to_leaving_early(strategy: ExitStrategy) -> None:
    averages = [average(step) for _, step in outcomes(strategy)]
    assert averages[0] == T and averages[-1] < 1.5
    assert len(averages) >= 6


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_the_data_that_judges_chooses_nothing(strategy: ExitStrategy) -> None:
    assert JUDGED.ann_logits is not None
    other = replace(JUDGED, labels=(JUDGED.truth + 1) % small.CLASSES, ann_logits=-JUDGED.ann_logits)
    pairs = zip(outcomes(strategy), outcomes(strategy, other), strict=True)
    assert all(torch.equal(a, b) and one == two for (one, a), (two, b) in pairs)


def test_the_head_as_it_was_attached_is_a_setting() -> None:
    assert JUDGED.plan is not None
    own = [step for setting, step in outcomes(PlannedStrategy()) if setting.head is not None and setting.price == 0]
    assert len(own) == 1
    assert torch.equal(own[0], JUDGED.plan.argmax(dim=-1) + 1)


def test_a_higher_price_never_plans_a_later_exit() -> None:
    assert plan_prices(GROUNDS) == sorted(plan_prices(GROUNDS))
    steps = [step for _, step in outcomes(PlannedStrategy())]
    assert all((later <= sooner).all() for sooner, later in pairwise(steps))


def test_at_every_budget_the_combination_is_at_least_as_good_as_either_pure_rule_where_it_was_chosen() -> None:
    held_out = KNOWN.select(GROUNDS.split.held_out)
    both = [step for _, step in outcomes(PlannedScoreStrategy(CONFIDENCE), held_out)]
    for pure in (PlannedStrategy(), ScoreStrategy(CONFIDENCE)):
        steps = [step for _, step in outcomes(pure, held_out)]
        for budget in BUDGETS[:-1]:
            alone = next((s for s in steps if average(s) <= budget + 1e-9), None)
            joint = [s for s in both[1:] if average(s) <= budget + 1e-9]
            assert alone is None or (joint and expected_drop(joint[0]) <= expected_drop(alone) + 1e-6)


def test_a_plan_that_sees_nothing_is_not_used() -> None:
    """With one plan for all images, the exit scores alone are better, and nothing is paid for a head."""
    blind = torch.zeros(120, T)
    blind[:, -1] = 1.0
    settings = PlannedScoreStrategy(CONFIDENCE).settings(replace(GROUNDS, readouts=replace(KNOWN, plan=blind)))
    assert sum(setting.head is None for setting in settings) >= len(settings) / 2


def test_a_planned_strategy_needs_a_plan() -> None:
    with pytest.raises(ValueError, match="policy head"):
        outcomes(PlannedStrategy(), replace(JUDGED, plan=None))
