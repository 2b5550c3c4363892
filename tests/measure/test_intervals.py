"""Wilson intervals against published values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seenn_convert.measure.intervals import mean_interval, points_lost, wilson_interval


@pytest.mark.parametrize(("successes", "trials", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
])  # fmt: skip
def test_values_of_newcombe_1998(successes: int, trials: int, low: float, high: float) -> None:
    """Table I, method 3, of Newcombe, Statistics in Medicine 17 (1998)."""
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**6), st.data())
def test_it_holds_the_share_and_mirrors(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    mirrored = wilson_interval(trials - successes, trials)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-9)


def test_nothing_tried_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_points_lost_are_a_mean_of_differences() -> None:
    """Of four images one is lost: 25 points; the differences 1, 0, 0, 0 have a deviation of 0.5."""
    lost, half = points_lost(torch.tensor([True] * 4), torch.tensor([False, True, True, True]))
    assert lost == pytest.approx(25)
    assert half == pytest.approx(1.96 * 100 * 0.5 / 2, rel=1e-3)
    assert points_lost(torch.ones(1, dtype=torch.bool), torch.ones(1, dtype=torch.bool)) == (0.0, 0.0)


def test_the_interval_of_a_mean_of_zeros_and_ones_is_wilson_s() -> None:
    values = torch.tensor([1.0] * 3 + [0.0] * 17)
    error = float(values.std(correction=0)) / 20**0.5
    assert mean_interval(0.15, error, 20) == pytest.approx(wilson_interval(3, 20))


def test_the_interval_of_a_mean_holds_the_values_that_few_images_do_not_rule_out() -> None:
    """None of 20 images loses anything: by the rule of three up to 3 / 20 may."""
    low, high = mean_interval(0.0, 0.0, 20)
    assert low == 0.0 and 0.13 < high < 0.2
    assert mean_interval(0.3, 0.01, 10**6) == pytest.approx((0.3 - 0.0196, 0.3 + 0.0196), abs=1e-4)
