"""Exit strategies are chosen on calibration data alone, and judged by what happens on other data."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting
from seenn_convert.exits.readouts import Readouts, collect_readouts, from_logits
from seenn_convert.exits.strategies.basic import (
    STRATEGIES,
    ExitStrategy,
    Grounds,
    ScoreStrategy,
    carried_out,
    first_right,
    ideal_exit_time,
)
from seenn_convert.exits.tune import split_calibration
from seenn_convert.ir.scores import CONFIDENCE, MARGIN, SCORES, ExitScore
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy

T = 6


def readouts(count: int, seed: int) -> Readouts:
    images, labels = small.draw(count, seed)
    with torch.no_grad():
        return collect_readouts(small.model(T), [images], small.trained_net()(images), labels, keep_logits=True)


KNOWN, JUDGED = readouts(120, 31), readouts(90, 32)
GROUNDS = Grounds(KNOWN, split_calibration(120, 0), tuple(1 + 0.25 * i for i in range(21)))


def outcomes(strategy: ExitStrategy, judged: Readouts = JUDGED, grounds: Grounds = GROUNDS) -> list[tuple[Setting, Tensor]]:
    """Return the settings of a strategy with the exit steps that they come to."""
    settings = strategy.settings(grounds)
    return list(zip(settings, carried_out(strategy, settings, grounds, judged), strict=True))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_strategy_goes_from_the_full_run_to_leaving_at_once(strategy: ExitStrategy) -> None:
    steps = [step for _, step in outcomes(strategy)]
    averages = [float(step.double().mean()) for step in steps]

    assert averages[0] == T
    assert averages[-1] == 1
    assert len(steps) >= 4
    assert all(step.shape == (90,) and step.min() >= 1 and step.max() <= T for step in steps)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_the_labels_that_judge_choose_nothing(strategy: ExitStrategy) -> None:
    assert JUDGED.ann_logits is not None
    other = replace(JUDGED, labels=(JUDGED.truth + 1) % small.CLASSES, ann_logits=-JUDGED.ann_logits)
    pairs = zip(outcomes(strategy), outcomes(strategy, other), strict=True)

    assert all(torch.equal(a, b) and one == two for (one, a), (two, b) in pairs)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_a_setting_is_what_early_exit_does(score: ExitScore) -> None:
    """With the temperatures and the thresholds of a setting, the network leaves at the steps that it says."""
    model = small.model(T, ThresholdPolicy(score.name, (2.0,)))
    model.probe.temperatures.copy_(GROUNDS.temperatures)
    found = outcomes(ScoreStrategy(score))
    for setting, step in found[:: max(1, len(found) // 4)]:
        trace = run_early_exit(model, [small.draw(90, 32)[0]], 32, setting.policy(score.name))
        assert torch.equal(trace.exit_step, step)


def test_the_held_out_part_meets_the_budgets() -> None:
    held_out = KNOWN.select(GROUNDS.split.held_out)
    found = outcomes(ScoreStrategy(CONFIDENCE), held_out)
    averages = [float(step.double().mean()) for _, step in found]

    assert averages == [setting.average_timesteps for setting, _ in found]
    assert all(any(a <= budget + 1e-6 for a in averages) for budget in GROUNDS.budgets)
    assert averages == sorted(averages, reverse=True)


def test_without_labels_the_ann_s_answers_stand_in() -> None:
    grounds = replace(GROUNDS, readouts=replace(KNOWN, labels=None))
    assert torch.equal(grounds.readouts.truth, KNOWN.ann_answers)
    assert len(ScoreStrategy(MARGIN).settings(grounds)) >= 4


def test_a_score_of_the_user_s_own_is_a_strategy() -> None:
    own = ExitScore("sum", lambda seen: 1 - 1 / (1 + seen.logits.abs().sum(dim=-1)))
    steps = [float(step.double().mean()) for _, step in outcomes(ScoreStrategy(own))]
    assert (steps[0], steps[-1]) == (T, 1)


def test_the_first_right_answer_and_the_exit_time_that_accuracies_suggest() -> None:
    """Of three images one is right from 1 on, one at 2 only, one never: 1 + 2 + 3; accuracies 1, 2, 1 of 3."""
    right = torch.tensor([[True, False, False], [True, True, False], [True, False, False]])
    logits = torch.stack([right.double(), torch.full_like(right.double(), 0.5)], dim=-1)
    given = from_logits(logits, logits[-1], torch.zeros(3, dtype=torch.int64))

    assert first_right(given).tolist() == [1, 2, 3]
    assert ideal_exit_time(right) == pytest.approx((1 * 1 + 2 * 1 + 3 * -1 + 3 * 2) / 3)
