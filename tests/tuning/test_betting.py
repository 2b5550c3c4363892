"""The betting bound: its law by exact enumeration, its coverage by simulation."""

import itertools
from fractions import Fraction

import pytest
import torch

from seenn_convert.tuning.betting import (
    FRACTIONS,
    betting_p_values,
    images_needed,
    lower_mean,
    upper_mean,
)

VALUES = torch.tensor([-1.0, 0.0, 1.0])


def wealth(losses: tuple[int, ...], epsilon: Fraction) -> Fraction:
    """Return the mean wealth of the gamblers, exactly."""
    total = Fraction(0)
    for fraction in map(Fraction, FRACTIONS):
        product = Fraction(1)
        for loss in losses:
            product *= 1 + fraction / (1 - epsilon) * (epsilon - loss)
        total += product
    return total / len(FRACTIONS)


@pytest.mark.parametrize("gain", [Fraction(0), Fraction(1, 4)])
def test_under_the_claim_the_wealth_is_fair_and_never_negative(gain: Fraction) -> None:
    """Over all sequences of four losses of mean epsilon, the wealth is never below 0 and its mean is 1."""
    epsilon = Fraction(1, 8)
    chance = {-1: gain, 0: 1 - 2 * gain - epsilon, 1: gain + epsilon}
    mean = Fraction(0)
    for losses in itertools.product((-1, 0, 1), repeat=4):
        probability = Fraction(1)
        for loss in losses:
            probability *= chance[loss]
        assert wealth(losses, epsilon) >= 0
        mean += probability * wealth(losses, epsilon)
    assert mean == 1


@pytest.mark.parametrize("losses", [(0,) * 40, (1, 0, -1, 0, 0), (-1,) * 30, (1,) * 5, (0,) * 60 + (1,)])
def test_the_p_value_is_one_over_the_wealth(losses: tuple[int, ...]) -> None:
    epsilon = Fraction(1, 8)
    counts = torch.tensor([losses.count(value) for value in (-1, 0, 1)])
    expected = min(1.0, float(1 / wealth(losses, epsilon)))
    assert float(betting_p_values(VALUES, counts, float(epsilon))) == pytest.approx(expected, rel=1e-9)


def test_many_counts_are_judged_at_once() -> None:
    counts = torch.tensor([[[0, 100, 0], [1, 98, 1]], [[0, 90, 10], [5, 95, 0]]])
    together = betting_p_values(VALUES, counts, 0.1)
    alone = [[float(betting_p_values(VALUES, row, 0.1)) for row in rows] for rows in counts]
    assert together.shape == (2, 2)
    assert [[float(x) for x in row] for row in together] == alone


def test_the_bounds_enclose_the_mean_and_are_duals_of_the_test() -> None:
    losses = torch.tensor([1] * 6 + [-1] * 2 + [0] * 192)
    upper, lower = upper_mean(losses, 0.05), lower_mean(losses, 0.05)
    assert lower < 0.02 < upper
    counts = torch.tensor([2, 192, 6])
    assert float(betting_p_values(VALUES, counts, upper)) == pytest.approx(0.05, rel=1e-6)
    assert lower == -upper_mean(-losses, 0.05)


def test_images_needed_are_the_fewest_without_a_loss() -> None:
    needed = images_needed(0.02, 0.05)
    for images, enough in ((needed, True), (needed - 1, False)):
        p = float(betting_p_values(VALUES, torch.tensor([0, images, 0]), 0.02))
        assert (p <= 0.05) is enough


def test_it_is_broken_at_most_as_often_as_stated() -> None:
    """20,000 draws of 200 losses of mean exactly epsilon: the claim is rejected in at most delta of them."""
    generator = torch.Generator().manual_seed(0)
    chance = torch.tensor([0.02, 0.93, 0.05])
    drawn = torch.multinomial(chance, 20_000 * 200, replacement=True, generator=generator).reshape(20_000, 200)
    counts = torch.stack([(drawn == i).sum(dim=1) for i in range(3)], dim=-1)
    for delta in (0.05, 0.2):
        assert float((betting_p_values(VALUES, counts, 0.03) <= delta).double().mean()) <= delta
