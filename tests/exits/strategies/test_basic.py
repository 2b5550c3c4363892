"""Ways to stop are chosen on calibration data alone, and judged by what happens on other data."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.exits.strategies.basic import WAYS, Grounds, Record, ScoreWay, Way, first_right, ideal_exit_time
from seenn_convert.exits.tune import split_calibration
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import SCORE_POLICIES

T = 6


def record(count: int, seed: int) -> Record:
    images, labels = small.draw(count, seed)
    run = run_all_timesteps(small.model(T), [images], keep_logits=True)
    assert run.logits is not None
    with torch.no_grad():
        return Record(run.logits, small.trained_net()(images), labels)


KNOWN, JUDGED = record(120, 31), record(90, 32)
GROUNDS = Grounds(KNOWN, split_calibration(120, 0), tuple(1 + 0.25 * i for i in range(21)))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_goes_from_the_full_run_to_leaving_at_once(way: Way) -> None:
    settings = way.settings(GROUNDS, JUDGED)
    averages = [float(s.exit_step.double().mean()) for s in settings]

    assert averages[0] == T
    assert averages[-1] == 1
    assert len(settings) >= 4
    assert all(s.exit_step.shape == (90,) and s.exit_step.min() >= 1 and s.exit_step.max() <= T for s in settings)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_labels_that_judge_choose_nothing(way: Way) -> None:
    other = replace(JUDGED, labels=(JUDGED.truth + 1) % small.CLASSES, ann_logits=-JUDGED.ann_logits)
    pairs = zip(way.settings(GROUNDS, JUDGED), way.settings(GROUNDS, other), strict=True)

    assert all(torch.equal(a.exit_step, b.exit_step) and a.thresholds == b.thresholds for a, b in pairs)


@pytest.mark.parametrize("name", SCORE_POLICIES)
def test_a_setting_is_what_early_exit_does(name: str) -> None:
    """With the temperatures and the thresholds of a setting, the network leaves at the steps that it says."""
    model = small.model(T, SCORE_POLICIES[name]((2.0,)))
    model._probe_buffer().copy_(GROUNDS.temperatures)
    settings = ScoreWay(name).settings(GROUNDS, JUDGED)  # type: ignore[arg-type]
    for setting in settings[:: max(1, len(settings) // 4)]:
        trace = run_early_exit(model, [small.draw(90, 32)[0]], 32, SCORE_POLICIES[name](setting.thresholds))
        assert torch.equal(trace.exit_step, setting.exit_step)


def test_the_held_out_part_meets_the_budgets() -> None:
    held_out = replace(KNOWN, logits=KNOWN.logits[:, GROUNDS.held_out], ann_logits=KNOWN.ann_logits[GROUNDS.held_out],
                       labels=KNOWN.truth[GROUNDS.held_out])  # fmt: skip
    averages = [float(s.exit_step.double().mean()) for s in ScoreWay("confidence").settings(GROUNDS, held_out)]

    assert all(any(a <= budget + 1e-6 for a in averages) for budget in GROUNDS.budgets)
    assert averages == sorted(averages, reverse=True)


def test_without_labels_the_ann_s_answers_stand_in() -> None:
    grounds = replace(GROUNDS, record=replace(KNOWN, labels=None))
    assert torch.equal(grounds.record.truth, KNOWN.ann_logits.argmax(dim=-1))
    assert len(ScoreWay("margin").settings(grounds, JUDGED)) >= 4


def test_the_first_right_answer_and_the_exit_time_that_accuracies_suggest() -> None:
    """Of three images one is right from 1 on, one at 2 only, one never: 1 + 2 + 3; accuracies 1, 2, 1 of 3."""
    right = torch.tensor([[True, False, False], [True, True, False], [True, False, False]])
    logits = torch.stack([right.double(), torch.full_like(right.double(), 0.5)], dim=-1)
    given = Record(logits, logits[-1], torch.zeros(3, dtype=torch.int64))

    assert first_right(given).tolist() == [1, 2, 3]
    assert ideal_exit_time(right) == pytest.approx((1 * 1 + 2 * 1 + 3 * -1 + 3 * 2) / 3)
