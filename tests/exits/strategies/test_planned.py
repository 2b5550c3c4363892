"""Ways that read a policy head are chosen on calibration data alone, and contain both pure rules."""

from dataclasses import replace
from itertools import pairwise

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.exits.strategies.basic import Grounds, Record, ScoreWay, Setting, Way
from seenn_convert.exits.strategies.planned import PlannedScoreWay, PlannedWay, plan_prices, planned_ways
from seenn_convert.exits.tune import split_calibration
from seenn_convert.runtime.all_timesteps import run_all_timesteps

T = 6
BUDGETS = tuple(1 + 0.25 * i for i in range(21))


def graded_plan(record: Record) -> Tensor:
    """Return the plan logits of a head that sees how sure the ANN is: the surer, the earlier."""
    sure = record.ann_logits.softmax(dim=-1).amax(dim=-1)
    wanted = 1 + (T - 1) * 2 * (1 - sure).clamp(max=0.5)
    return -((torch.arange(1, T + 1) - wanted.unsqueeze(1)) ** 2)


def record(count: int, seed: int) -> Record:
    images, labels = small.draw(count, seed)
    run = run_all_timesteps(small.model(T), [images], keep_logits=True)
    assert run.logits is not None
    with torch.no_grad():
        found = Record(run.logits, small.trained_net()(images), labels)
    return replace(found, plan=graded_plan(found))


KNOWN, JUDGED = record(120, 31), record(90, 32)
GROUNDS = Grounds(KNOWN, split_calibration(120, 0), BUDGETS)
WAYS = planned_ways("confidence")


def expected_drop(setting: Setting) -> float:
    """Return the expected drop on the held-out images, in points."""
    readouts = GROUNDS.readouts(torch.zeros(T, 120), GROUNDS.held_out)
    worth = readouts.worth.gather(0, setting.exit_step.unsqueeze(0) - 1).squeeze(0)
    return 100 * float((readouts.best - worth).double().mean())


def held_out() -> Record:
    """Return the held-out part as a record of its own: what is carried out on it is what chose."""
    part, plan = GROUNDS.held_out, KNOWN.plan
    assert plan is not None
    return Record(KNOWN.logits[:, part], KNOWN.ann_logits[part], KNOWN.truth[part], None, plan[part])


def average(setting: Setting) -> float:
    return float(setting.exit_step.double().mean())


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_goes_from_the_full_run_to_leaving_early(way: Way) -> None:
    averages = [average(setting) for setting in way.settings(GROUNDS, JUDGED)]
    assert averages[0] == T and averages[-1] < 1.5
    assert len(averages) >= 6


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_data_that_judges_chooses_nothing(way: Way) -> None:
    other = replace(JUDGED, labels=(JUDGED.truth + 1) % small.CLASSES, ann_logits=-JUDGED.ann_logits)
    pairs = zip(way.settings(GROUNDS, JUDGED), way.settings(GROUNDS, other), strict=True)
    assert all(torch.equal(a.exit_step, b.exit_step) and a.plan_price == b.plan_price for a, b in pairs)


def test_the_head_as_it_was_attached_is_a_setting() -> None:
    assert JUDGED.plan is not None
    own = [setting for setting in PlannedWay().settings(GROUNDS, JUDGED) if setting.plan_price == 0]
    assert len(own) == 1
    assert torch.equal(own[0].exit_step, JUDGED.plan.argmax(dim=-1) + 1)


def test_a_higher_price_never_plans_a_later_exit() -> None:
    assert plan_prices(GROUNDS) == sorted(plan_prices(GROUNDS))
    steps = [setting.exit_step for setting in PlannedWay().settings(GROUNDS, JUDGED)]
    assert all((later <= sooner).all() for sooner, later in pairwise(steps))


def test_at_every_budget_the_combination_is_at_least_as_good_as_either_pure_rule_where_it_was_chosen() -> None:
    known = held_out()
    both = PlannedScoreWay("confidence").settings(GROUNDS, known)
    for pure in (PlannedWay(), ScoreWay("confidence")):
        settings = pure.settings(GROUNDS, known)
        for budget in BUDGETS[:-1]:
            alone = next((s for s in settings if average(s) <= budget + 1e-9), None)
            joint = [s for s in both[1:] if average(s) <= budget + 1e-9]
            assert alone is None or (joint and expected_drop(joint[0]) <= expected_drop(alone) + 1e-6)


def test_a_plan_that_sees_nothing_is_not_used() -> None:
    """With one plan for all images, the exit scores alone are better, and nothing is paid for a head."""
    blind = torch.zeros(120, T)
    blind[:, -1] = 1.0
    grounds = replace(GROUNDS, record=replace(KNOWN, plan=blind))
    settings = PlannedScoreWay("confidence").settings(grounds, replace(JUDGED, plan=blind[:90]))
    assert sum(setting.plan_price is None for setting in settings) >= len(settings) / 2


def test_a_planned_way_needs_a_plan() -> None:
    with pytest.raises(ValueError, match="policy head"):
        PlannedWay().settings(GROUNDS, replace(JUDGED, plan=None))
