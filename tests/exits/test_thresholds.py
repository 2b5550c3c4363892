"""Exit thresholds: what the dynamic programme promises, against brute force, and what a target may be."""

import itertools
from dataclasses import asdict

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
    careful_to_fast,
    first_exit,
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


def test_images_that_leave_by_their_plan_do_not_decide_about_a_threshold() -> None:
    """Alone the surer image would wait, as it is wrong now and right later; if it leaves anyway, the other decides."""
    scores, worth = torch.tensor([[0.9, 0.5], [0.9, 0.5]]), torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    free = price_thresholds(scores, worth, 0.1)
    assert free == (NEVER, ALWAYS)
    assert price_thresholds(scores, worth, 0.1, torch.tensor([0, 1])) == (ALWAYS, ALWAYS)
    assert price_thresholds(scores, worth, 0.1, torch.tensor([0, 0])) == (NEVER, ALWAYS)


def drawn(seed: int, count: int = 60, timesteps: int = 5) -> tuple[Tensor, Tensor]:
    """Return scores and worth ``(T, N)`` that rise with time."""
    generator = torch.Generator().manual_seed(seed)
    ease = torch.rand(count, generator=generator)
    t = torch.arange(1, timesteps + 1).unsqueeze(1)
    worth = (1 - (1 - ease) ** t).clamp(0.01, 0.99)
    return (worth + 0.1 * torch.randn(timesteps, count, generator=generator)).clamp(0, 1), worth


def test_the_path_goes_from_the_full_run_to_leaving_at_once() -> None:
    scores, worth = drawn(0)
    path = careful_to_fast(scores, worth)
    assert path[0] == (NEVER,) * 4 + (ALWAYS,)
    steps = [first_exit(scores, torch.tensor(thresholds).unsqueeze(1)) for thresholds in path]
    averages = [float((step + 1).double().mean()) for step in steps]
    assert averages[0] == 5.0
    assert averages[-1] == 1.0
    assert all(later <= earlier + 0.35 for earlier, later in itertools.pairwise(averages))
    kept = [float(worth.gather(0, step.unsqueeze(0)).double().mean()) for step in steps]
    assert kept[0] == pytest.approx(float(worth[-1].double().mean()))
    assert kept[-1] == min(kept)


def test_one_timestep_is_a_path_too() -> None:
    assert set(careful_to_fast(*drawn(7, timesteps=1))) == {(ALWAYS,)}


def test_the_first_exit_is_strictly_above_else_the_last() -> None:
    scores = torch.tensor([[0.5, 0.6, 0.1], [0.9, 0.1, 0.2]])
    assert first_exit(scores, 0.5).tolist() == [1, 0, 1]
    assert scores.tolist()[1][2] == pytest.approx(0.2)


def test_the_trade_off_is_that_of_single_thresholds() -> None:
    scores, worth = drawn(8)
    right = worth > 0.5
    curve = trade_off(scores, right)
    assert [point[0] for point in curve] == sorted(point[0] for point in curve)
    assert curve[0] == (ALWAYS, float(right[0].double().mean()), 1.0)
    assert curve[-1] == (NEVER, float(right[-1].double().mean()), 5.0)
    threshold, accuracy, average = curve[30]
    steps = [next((t for t in range(5) if s[t] > threshold), 4) for s in scores.t().tolist()]
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
    assert asdict(ExitTarget(drop=0.5)) == {"drop": 0.5, "timesteps": None, "milliseconds": None}
