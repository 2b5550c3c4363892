"""Exits of another kind of images are told from chance, and from differences too small to matter."""

import math

import pytest
import torch

from seenn_convert.measure.drift import drift_words, exit_drift, homogeneity


def counts(*numbers: int) -> dict[int, int]:
    return dict(enumerate(numbers, 1))


def test_two_bins_are_the_textbook_test() -> None:
    """Of a 2 x 2 table, the statistic is n (ad - bc)^2 / ..., and the tail with one degree is erfc(sqrt(x / 2))."""
    a, b, c, d = 30, 70, 50, 50
    statistic = 200 * (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))
    p_value, distance, bins = homogeneity([a, b], [c, d])
    assert p_value == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-9)
    assert (distance, bins) == (pytest.approx(0.2), 2)


def test_three_bins_have_an_exponential_tail() -> None:
    """With two degrees of freedom the tail is exp(-x / 2)."""
    first, second = [20, 30, 50], [40, 30, 30]
    statistic = 0.0
    for x, y in zip(first, second, strict=True):
        statistic += 2 * ((x - y) / 2) ** 2 / ((x + y) / 2)
    assert homogeneity(first, second)[0] == pytest.approx(math.exp(-statistic / 2), rel=1e-9)


def test_small_bins_are_counted_together() -> None:
    """400 and 4,000 images: a bin needs 5 expected of the 400, 55 in all."""
    p_value, distance, bins = homogeneity([390, 4, 3, 2, 1, 0], [3900, 40, 20, 20, 10, 10])
    assert bins == 2  # 440 in all is one bin, the few behind it are another
    assert p_value > 0.9 and distance == pytest.approx(0.0)
    assert homogeneity([10, 0], [3, 1]) == (1.0, 0.0, 1)


def test_images_of_the_same_kind_do_not_warn() -> None:
    """Of 2,000 pairs of draws from one distribution, about one in a thousand has a p-value below 0.001."""
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor([0.1, 0.4, 0.25, 0.1, 0.08, 0.05, 0.015, 0.005])
    small_p = 0
    for _ in range(2000):
        rows = [
            torch.multinomial(shares, n, replacement=True, generator=generator).bincount(minlength=8)
            for n in (400, 1000)
        ]
        p_value, _, _ = homogeneity(*(row.tolist() for row in rows))
        small_p += p_value < 0.001
    assert small_p <= 8


def test_another_kind_warns_and_says_what_to_do() -> None:
    found = exit_drift(counts(200, 100, 60, 40), counts(100, 200, 300, 400))
    assert found is not None and found.drifted
    assert found.calibration_average_timesteps == pytest.approx(1.85)
    assert found.average_timesteps == pytest.approx(3.0)
    words = drift_words(found)
    assert "3.00 timesteps on average" in words and "seenn-convert calibrate ARTIFACT --data DATA" in words


def test_a_difference_that_is_certain_but_small_does_not_warn() -> None:
    found = exit_drift(counts(50_000, 50_000), counts(52_000, 48_000))
    assert found is not None and found.p_value < 1e-9
    assert found.distance == pytest.approx(0.02) and not found.drifted


def test_a_large_difference_of_few_images_does_not_warn() -> None:
    found = exit_drift(counts(20, 20), counts(14, 6))
    assert found is not None and found.distance == pytest.approx(0.2) and not found.drifted


@pytest.mark.parametrize("before", [None, {}, {1: 0}])
def test_without_counts_of_the_calibration_nothing_is_said(before: dict[int, int] | None) -> None:
    assert exit_drift(before, counts(1, 2)) is None
