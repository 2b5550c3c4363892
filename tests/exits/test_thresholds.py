"""Exit thresholds: what the dynamic programme promises, against brute force, and what a target gets."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.exits.thresholds import (
    ALWAYS,
    NEVER,
    ExitTarget,
    Readouts,
    careful_to_fast,
    choose_on_path,
    choose_thresholds,
    first_exit,
    outcome,
    price_thresholds,
    trade_off,
)

levels = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])


@st.composite
def cases(draw: st.DrawFn, timesteps: int) -> tuple[Tensor, Tensor, float]:
    """Return scores and worth ``(T, N)`` with ties, and a price."""
    count = draw(st.integers(1, 6))
    rows = [[draw(levels) for _ in range(count)] for _ in range(2 * timesteps)]
    price = draw(st.sampled_from([0.0, 0.01, 0.07, 0.21, 0.9]))
    return torch.tensor(rows[:timesteps]), torch.tensor(rows[timesteps:]), price


def value(scores: Tensor, worth: Tensor, price: float, thresholds: tuple[float, ...]) -> Tensor:
    """Return the worth of each sample's answer less ``price`` for each timestep after the first."""
    step = first_exit(scores, torch.tensor(thresholds, dtype=scores.dtype).unsqueeze(1))
    return worth.double().gather(0, step.unsqueeze(0)).squeeze(0) - price * step


CANDIDATES = (ALWAYS, 0.2, 0.4, 0.6, 0.8, NEVER)


@settings(deadline=None, max_examples=200)
@given(cases(timesteps=2))
def test_of_two_timesteps_the_thresholds_are_the_best_there_are(case: tuple[Tensor, Tensor, float]) -> None:
    scores, worth, price = case
    found = value(scores, worth, price, price_thresholds(scores, worth, price)).sum()
    best = max(float(value(scores, worth, price, (t, ALWAYS)).sum()) for t in CANDIDATES)
    assert float(found) == pytest.approx(best, abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(cases(timesteps=3))
def test_each_threshold_is_the_best_for_all_samples_given_the_later_ones(case: tuple[Tensor, Tensor, float]) -> None:
    """For every t: were all samples at t, no other threshold there would give more with the later ones as they are."""
    scores, worth, price = case
    found = price_thresholds(scores, worth, price)
    assert found[-1] == ALWAYS
    for t in range(len(scores)):
        mine = value(scores[t:], worth[t:], price, found[t:]).sum()
        others = (value(scores[t:], worth[t:], price, (other, *found[t + 1 :])).sum() for other in CANDIDATES)
        assert float(mine) >= max(map(float, others)) - 1e-6


@settings(deadline=None, max_examples=200)
@given(cases(timesteps=3))
def test_it_is_at_least_as_good_as_stopping_all_samples_together(case: tuple[Tensor, Tensor, float]) -> None:
    scores, worth, price = case
    found = float(value(scores, worth, price, price_thresholds(scores, worth, price)).sum())
    plans = itertools.product((ALWAYS, NEVER), repeat=2)
    together = max(float(value(scores, worth, price, (*plan, ALWAYS)).sum()) for plan in plans)
    assert found >= together - 1e-6


def test_a_high_price_sends_everybody_away_and_a_low_one_waits_for_what_is_worth_it() -> None:
    scores = torch.tensor([[0.2, 0.8], [0.5, 0.9]])
    worth = torch.tensor([[0.1, 0.9], [0.8, 0.9]])
    assert price_thresholds(scores, worth, 10.0) == (ALWAYS, ALWAYS)
    threshold, last = price_thresholds(scores, worth, 0.01)
    assert 0.2 <= threshold < 0.8
    assert last == ALWAYS


def readouts(seed: int, count: int = 60, timesteps: int = 5) -> Readouts:
    """Return readouts whose scores and worth rise with time."""
    generator = torch.Generator().manual_seed(seed)
    ease = torch.rand(count, generator=generator)
    t = torch.arange(1, timesteps + 1).unsqueeze(1)
    worth = (1 - (1 - ease) ** t).clamp(0.01, 0.99)
    scores = (worth + 0.1 * torch.randn(timesteps, count, generator=generator)).clamp(0, 1)
    return Readouts(scores, worth, worth[-1] + 0.005)


def test_the_path_goes_from_the_full_run_to_leaving_at_once() -> None:
    fitting = readouts(0)
    path = careful_to_fast(fitting)
    assert path[0] == (NEVER,) * 4 + (ALWAYS,)
    averages = [outcome(fitting, thresholds)[1] for thresholds in path]
    assert averages[0] == 5.0
    assert averages[-1] == 1.0
    assert all(later <= earlier + 0.35 for earlier, later in itertools.pairwise(averages))
    drops = [outcome(fitting, thresholds)[0] for thresholds in path]
    assert drops[0] == pytest.approx(0.5, abs=1e-3)
    assert drops[-1] == max(drops)


@pytest.mark.parametrize("drop", [0.6, 2.0, 10.0, 50.0])
def test_a_drop_is_met_and_the_fastest_point_that_meets_it_is_taken(drop: float) -> None:
    fitting, held_out = readouts(1), readouts(2)
    choice = choose_thresholds(fitting, held_out, ExitTarget(drop=drop))
    assert choice.reached
    assert choice.expected_drop <= drop + 1e-9
    path = careful_to_fast(fitting)
    faster = path[path.index(choice.thresholds) + 1 :]
    later = [outcome(held_out, thresholds) for thresholds in faster if thresholds != choice.thresholds]
    assert all(lost > drop for lost, _ in later)
    assert outcome(held_out, choice.thresholds) == (choice.expected_drop, choice.average_timesteps)


@pytest.mark.parametrize("timesteps", [1.0, 1.5, 2.5, 4.0, 5.0, 9.0])
def test_average_timesteps_are_met_by_the_most_careful_point(timesteps: float) -> None:
    fitting, held_out = readouts(3), readouts(4)
    choice = choose_thresholds(fitting, held_out, ExitTarget(timesteps=timesteps))
    assert choice.reached
    assert choice.average_timesteps <= timesteps + 1e-9
    path = careful_to_fast(fitting)
    earlier = path[: path.index(choice.thresholds)]
    assert all(outcome(held_out, thresholds)[1] > timesteps for thresholds in earlier)


def test_a_drop_out_of_reach_gives_the_full_run_and_says_so() -> None:
    held_out = readouts(5)
    choice = choose_thresholds(readouts(6), held_out, ExitTarget(drop=0.1))  # even the full run loses 0.5
    assert not choice.reached
    assert choice.thresholds == (NEVER,) * 4 + (ALWAYS,)
    assert choice.average_timesteps == 5.0


@pytest.mark.parametrize("last", [0, 30, 70])
def test_of_target_and_limit_the_more_careful_decides(last: int) -> None:
    fitting, held_out = readouts(1), readouts(2)
    path = careful_to_fast(fitting)
    free = path.index(choose_thresholds(fitting, held_out, ExitTarget(drop=2.0)).thresholds)
    assert choose_on_path(path, held_out, ExitTarget(drop=2.0), last).thresholds == path[min(free, last)]
    assert choose_on_path(path, held_out, None, last).thresholds == path[last]
    slow = choose_on_path(path, held_out, ExitTarget(timesteps=1.0), 0)
    assert (slow.average_timesteps, slow.reached) == (5.0, False)


def test_one_timestep_is_a_path_too() -> None:
    one = readouts(7, timesteps=1)
    choice = choose_thresholds(one, one, ExitTarget(drop=1.0))
    assert (choice.thresholds, choice.average_timesteps) == ((ALWAYS,), 1.0)


def test_the_outcome_is_a_mean_over_the_samples() -> None:
    """Two samples: one leaves at 1 losing 0.3, the other at 2 losing 0.1: 20 points, 1.5 timesteps."""
    given = Readouts(torch.tensor([[0.9, 0.1], [0.9, 0.9]]), torch.tensor([[0.6, 0.2], [0.7, 0.8]]),
                     torch.tensor([0.9, 0.9]))  # fmt: skip
    drop, average = outcome(given, (0.5, ALWAYS))
    assert drop == pytest.approx(20.0, abs=1e-4)
    assert average == 1.5


def test_the_first_exit_is_strictly_above_else_the_last() -> None:
    scores = torch.tensor([[0.5, 0.6, 0.1], [0.9, 0.1, 0.2]])
    assert first_exit(scores, 0.5).tolist() == [1, 0, 1]
    assert scores.tolist()[1][2] == pytest.approx(0.2)


def test_the_trade_off_is_that_of_single_thresholds() -> None:
    given = readouts(8)
    right = given.worth > 0.5
    curve = trade_off(given.scores, right)
    assert [point[0] for point in curve] == sorted(point[0] for point in curve)
    assert curve[0] == (ALWAYS, float(right[0].double().mean()), 1.0)
    assert curve[-1] == (NEVER, float(right[-1].double().mean()), 5.0)
    threshold, accuracy, average = curve[30]
    steps = [next((t for t in range(5) if s[t] > threshold), 4) for s in given.scores.t().tolist()]
    assert average == pytest.approx(sum(steps) / 60 + 1)
    assert accuracy == pytest.approx(sum(bool(right[t, i]) for i, t in enumerate(steps)) / 60)


@pytest.mark.parametrize("options", [{}, {"drop": 1.0, "timesteps": 2.0}, {"drop": -0.1}, {"timesteps": 0.5},
                                     {"drop": float("nan")}, {"timesteps": float("nan")},
                                     {"drop": float("inf")}, {"timesteps": float("inf")},
                                     {"milliseconds": 0.0}, {"milliseconds": float("nan")},
                                     {"milliseconds": 1.0, "drop": 1.0}])  # fmt: skip
def test_a_target_without_sense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="target"):
        ExitTarget(**options)


def test_a_target_is_plain_data() -> None:
    assert ExitTarget(drop=0.5).to_json() == {"drop": 0.5, "timesteps": None, "milliseconds": None}
