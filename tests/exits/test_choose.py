"""One chooser: what meets the target, what is nearest where nothing does, and who wins among equals."""

import math

import pytest
import torch
from torch import Tensor

from seenn_convert.exits.choose import Setting, choose, choose_each, fixed_settings, judged
from seenn_convert.exits.readouts import Readouts, from_logits
from seenn_convert.exits.thresholds import ALWAYS, NEVER, ExitTarget, careful_to_fast, full_run
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy


def readouts(seed: int, count: int = 60, timesteps: int = 5) -> Readouts:
    """Return readouts whose scores and worth rise with time; even the full run loses something."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(timesteps + 1, (count,), generator=generator).clamp(max=timesteps)
    right = torch.arange(timesteps).unsqueeze(1) >= first
    scores = (0.3 + 0.4 * right + 0.1 * torch.randn(timesteps, count, generator=generator)).clamp(0, 1)
    ann_logits = torch.stack([torch.zeros(count), 1 + 3 * torch.rand(count, generator=generator)], dim=1)
    return Readouts(right.long(), scores, ann_logits=ann_logits)


def path_of(fitting: Readouts, held_out: Readouts) -> list[Setting]:
    return [judged(held_out, thresholds) for thresholds in careful_to_fast(fitting.scores, fitting.worth)]


def fixed(*pairs: tuple[float, float]) -> list[Setting]:
    return [Setting(drop, average, head=head) for head, (drop, average) in enumerate(pairs)]


@pytest.mark.parametrize("drop", [20.0, 30.0, 50.0])
def test_on_a_path_a_drop_is_met_by_the_fastest_setting_that_meets_it(drop: float) -> None:
    path = path_of(readouts(1), readouts(2))
    choice = choose(path, ExitTarget(drop=drop), "path")
    assert choice.reached and choice.expected_drop <= drop + 1e-9
    position = max(i for i, setting in enumerate(path) if setting is choice)
    assert all(setting.expected_drop > drop for setting in path[position + 1 :])


@pytest.mark.parametrize("timesteps", [1.0, 1.5, 2.5, 4.0, 5.0, 9.0])
def test_on_a_path_average_timesteps_are_met_by_the_most_careful_setting(timesteps: float) -> None:
    path = path_of(readouts(3), readouts(4))
    choice = choose(path, ExitTarget(timesteps=timesteps), "path")
    assert choice.reached and choice.average_timesteps <= timesteps + 1e-9
    position = min(i for i, setting in enumerate(path) if setting is choice)
    assert all(setting.average_timesteps > timesteps for setting in path[:position])


def test_a_drop_out_of_reach_gives_the_full_run_and_says_so() -> None:
    choice = choose(path_of(readouts(6), readouts(5)), ExitTarget(drop=0.1), "path")
    assert not choice.reached
    assert choice.thresholds == full_run(5)
    assert choice.average_timesteps == 5.0


@pytest.mark.parametrize("last", [0, 30, 70])
def test_of_target_and_limit_the_more_careful_decides(last: int) -> None:
    path, target = path_of(readouts(1), readouts(2)), ExitTarget(drop=25.0)
    free = max(i for i, setting in enumerate(path) if setting is choose(path, target, "path"))
    assert 0 < free < len(path) - 1
    assert choose(path, target, "path", last).thresholds == path[min(free, last)].thresholds
    assert choose(path, None, "path", last) is path[last]
    slow = choose(path, ExitTarget(timesteps=1.0), "path", 0)
    assert (slow.average_timesteps, slow.reached) == (5.0, False)


def test_without_an_order_the_better_one_wins_and_what_misses_the_target_says_so() -> None:
    settings = fixed((3.0, 1.0), (1.0, 2.0), (0.4, 3.0))
    assert choose(settings, ExitTarget(drop=1.0)).head == 1
    assert choose(settings, ExitTarget(timesteps=2.9)).head == 1
    missed = choose(settings, ExitTarget(drop=0.1))
    assert (missed.head, missed.reached) == (2, False)
    assert choose(settings[1:], ExitTarget(timesteps=1.5)) == Setting(1.0, 2.0, head=1, reached=False)


def test_who_wins_among_equals() -> None:
    """Two lose the same: without an order the faster one wins, where the first are preferred the first."""
    settings = fixed((1.0, 2.0), (1.0, 1.5), (1.0, 1.5), (2.0, 1.0))
    assert choose(settings, ExitTarget(timesteps=2.0)).head == 1
    assert choose(settings, ExitTarget(timesteps=2.0), "preferred").head == 0
    assert choose(settings, ExitTarget(drop=1.0)).head == 1


def test_of_each_budget_the_choice_is_returned_once_from_careful_to_fast() -> None:
    settings = fixed((0.0, 4.0), (1.0, 2.0), (3.0, 1.5))
    assert [one.head for one in choose_each(settings, (1.0, 1.6, 2.0, 2.5, 3.9, 4.0))] == [0, 1, 2]
    assert choose_each(settings, (1.0, 1.4)) == []


def test_what_a_setting_says_is_a_mean_over_the_images() -> None:
    """Two images: one leaves at 1 losing 0.8, the other at 2 losing nothing: 40 points, 1.5 timesteps."""
    ann_logits = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log()
    given = Readouts(torch.tensor([[1, 0], [0, 1]]), torch.tensor([[0.9, 0.1], [0.9, 0.9]]), ann_logits=ann_logits)
    found = judged(given, (0.5, ALWAYS))
    assert found.expected_drop == pytest.approx(40.0, abs=1e-4)
    assert found.average_timesteps == 1.5
    assert found.drop_error == pytest.approx(40.0 / math.sqrt(2), abs=1e-4)  # 80 and 0: deviation 40, two images


def test_fixed_settings_stop_all_images_together() -> None:
    held_out = readouts(1)
    found = fixed_settings(held_out)
    assert [one.average_timesteps for one in found] == [1, 2, 3, 4, 5]
    lost = float((held_out.best - held_out.worth[1]).mean())
    assert found[1].expected_drop == pytest.approx(100 * lost, abs=1e-4)
    assert found[1].thresholds is None
    assert found[1].exit_steps(held_out.scores).tolist() == [2] * 60


SCORES, PLANNED = torch.tensor([[0.9, 0.1, 0.1], [0.9, 0.9, 0.1], [0.9, 0.9, 0.9]]), torch.tensor([3, 1, 2])


@pytest.mark.parametrize(("setting", "steps", "policy"), [
    (Setting(0.0, 2.0), [2, 2, 2], FixedPolicy(2)),
    (Setting(0.0, 2.0, (0.5, 0.5, ALWAYS)), [1, 2, 3], ThresholdPolicy("margin", (0.5, 0.5, ALWAYS))),
    (Setting(0.0, 2.0, None, 4), [3, 1, 2], PlannedPolicy()),
    (Setting(0.0, 1.3, (0.5, NEVER, ALWAYS), 4), [1, 1, 2],
     PlannedPolicy(ThresholdPolicy("margin", (0.5, NEVER, ALWAYS)))),
])  # fmt: skip
def test_a_setting_is_its_policy(setting: Setting, steps: list[int], policy: object) -> None:
    assert setting.exit_steps(SCORES, PLANNED).tolist() == steps
    assert setting.policy("margin") == policy


def test_no_plan_is_read_where_no_head_plans() -> None:
    assert from_logits(torch.zeros(3, 2, 2), torch.zeros(2, 2)).plan is None
    steps: Tensor = Setting(0.0, 1.0, (0.5, 0.5, ALWAYS)).exit_steps(SCORES)
    assert steps.tolist() == [1, 2, 3]
