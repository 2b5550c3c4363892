"""The betting bound: its law by exact enumeration, its coverage by simulation."""

import itertools
import math

import pytest
import torch

from seenn_convert.exits.certificates import betting
from seenn_convert.exits.certificates.betting import _bets, images_needed, lower_mean, rejects, upper_mean


def wealth(losses: tuple[int, ...], epsilon: float, delta: float = 0.05) -> list[float]:
    """Return the wealth after each loss, one multiplication after the other."""
    bets = _bets(torch.tensor(losses, dtype=torch.float64), delta, 0.9).tolist()
    product, found = 1.0, []
    for bet, loss in zip(bets, losses, strict=True):
        product *= 1 + bet * (epsilon - loss)
        found.append(product)
    return found


@pytest.mark.parametrize("gain", [0.0, 0.25])
def test_under_the_claim_the_wealth_is_fair_and_never_negative(gain: float) -> None:
    """Over all sequences of six losses of mean epsilon, the wealth is never below 0 and its mean is 1 at every step."""
    epsilon = 0.125
    chance = {-1: gain, 0: 1 - 2 * gain - epsilon, 1: gain + epsilon}
    means = [0.0] * 6
    for losses in itertools.product((-1, 0, 1), repeat=6):
        found = wealth(losses, epsilon)
        assert min(found) >= 0
        probability = math.prod(chance[loss] for loss in losses)
        means = [mean + probability * value for mean, value in zip(means, found, strict=True)]
    assert means == pytest.approx([1.0] * 6)


def test_a_bet_does_not_know_its_loss_nor_those_behind() -> None:
    losses = torch.tensor([0.0, 1.0, -1.0, 0.0, 1.0], dtype=torch.float64)
    bets = _bets(losses, 0.05, 0.9)
    for position in range(5):
        other = losses.clone()
        other[position:] = 1 - other[position:]
        assert _bets(other, 0.05, 0.9)[position] == bets[position]


@pytest.mark.parametrize(
    "losses", [(0,) * 60, (1, 0, -1, 0, 0), (-1,) * 40, (1,) * 5, (0,) * 60 + (1,), (1,) + (0,) * 60]
)
def test_it_is_refuted_where_the_wealth_once_reached_one_over_delta(losses: tuple[int, ...]) -> None:
    expected = max(wealth(losses, 0.125)) >= 20
    assert bool(rejects(torch.tensor(losses), 0.125, 0.05)) is expected


def test_many_rows_are_judged_at_once() -> None:
    generator = torch.Generator().manual_seed(0)
    losses = (torch.rand(4, 5, 200, generator=generator) < 0.03).long()
    together = rejects(losses, 0.05, 0.1)
    assert together.tolist() == [[bool(rejects(row, 0.05, 0.1)) for row in rows] for rows in losses]
    assert 0 < int(together.sum()) < 20


def test_the_bounds_enclose_the_mean_and_end_where_refuting_does() -> None:
    losses = torch.tensor([1] * 6 + [-1] * 2 + [0] * 192)[
        torch.randperm(200, generator=torch.Generator().manual_seed(1))
    ]
    upper, lower = upper_mean(losses, 0.05), lower_mean(losses, 0.05)
    assert lower < 0.02 < upper < 0.1
    assert rejects(losses, upper + 1e-6, 0.05) and not rejects(losses, upper - 1e-6, 0.05)
    assert lower == -upper_mean(-losses, 0.05, lowest=-1.0)
    assert upper_mean(-torch.ones(500), 0.05) == pytest.approx(
        0.0, abs=1e-12
    )  # not below the lowest that was asked for
    assert -1 < upper_mean(-torch.ones(500), 0.05, lowest=-1.0) < -0.9


def test_images_needed_are_the_fewest_without_a_loss() -> None:
    needed = images_needed(0.02, 0.05)
    assert rejects(torch.zeros(needed), 0.02, 0.05) and not rejects(torch.zeros(needed - 1), 0.02, 0.05)
    assert 149 <= needed < 180  # the exact bound needs 149


def test_it_is_broken_at_most_as_often_as_stated() -> None:
    """4,000 draws of 300 losses of mean exactly epsilon: the claim, which is true, is refuted in at most delta of them."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(torch.tensor([0.02, 0.93, 0.05]), 4000 * 300, replacement=True, generator=generator)
    losses = drawn.reshape(4000, 300) - 1
    for delta in (0.05, 0.2):
        share = float(rejects(losses, 0.03, delta).double().mean())
        assert 0.1 * delta < share <= delta


@pytest.mark.parametrize("epsilon", [0.9, 0.3, 0.05, 0.01, 0.001])
@pytest.mark.parametrize("delta", [0.9, 0.5, 0.05, 1e-6, 1e-100, 5e-324])
def test_the_fewest_images_are_the_fewest(epsilon: float, delta: float) -> None:
    needed = betting.images_needed(epsilon, delta)

    assert betting.rejects(torch.zeros(needed), epsilon, delta)
    assert needed == 1 or not betting.rejects(torch.zeros(needed - 1), epsilon, delta)


def test_more_images_than_anybody_has_are_told_by_a_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """It agrees with counting where both can be done, to the share of one image."""
    counted = betting.images_needed(1e-4, 0.05)
    monkeypatch.setattr(betting, "COUNTED", 0)
    assert betting.images_needed(1e-4, 0.05) - counted in (0, 1, 2)

    monkeypatch.setattr(betting, "rejects", None)
    assert betting.images_needed(1e-9, 0.05) / 1e5 == pytest.approx(betting.images_needed(1e-4, 0.05), rel=1e-3)
    assert betting.images_needed(5e-324, 5e-324) == 10**18
