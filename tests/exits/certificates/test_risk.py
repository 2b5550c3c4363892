"""Losses image by image, and the bounds that go with them."""

import pytest
import torch

from seenn_convert.choices import BOUND_NAMES, Bound
from seenn_convert.exits.certificates import betting, bounds
from seenn_convert.exits.certificates.risk import (
    counted,
    default_bound,
    exit_losses,
    images_needed,
    risk_interval,
    shows,
    upper_risk,
)

FULL, LABELS = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([0, 1, 0, 1, 1])
ANSWERS = torch.tensor([[0, 1, 2, 0, 1], [1, 1, 0, 2, 0]])


def test_disagreement_counts_other_answers_and_accuracy_what_they_cost() -> None:
    assert exit_losses("disagreement", ANSWERS, FULL, None).tolist() == [[0, 0, 0, 0, 0], [1, 0, 1, 1, 1]]
    losses = exit_losses("accuracy", ANSWERS, FULL, LABELS)
    assert losses.tolist() == [[0, 0, 0, 0, 0], [1, 0, -1, 0, 1]]
    drop = (FULL == LABELS).double().mean() - (ANSWERS[1] == LABELS).double().mean()
    assert float(losses[1].double().mean()) == pytest.approx(float(drop))


def test_counted_is_gains_ties_and_losses() -> None:
    assert counted(torch.tensor([[1, 0, -1, 1], [0, 0, 0, -1]])).tolist() == [[1, 1, 2], [1, 3, 0]]


def test_each_bound_is_its_own() -> None:
    losses = torch.tensor([1, 0, 0, -1] + [0] * 96)
    assert upper_risk("binomial", losses, 0.05) == bounds.upper_share(1, 100, 0.05)
    assert upper_risk("betting", losses, 0.05) != upper_risk("binomial", losses, 0.05)
    assert images_needed("binomial", 0.01, 0.05) == 299 < images_needed("betting", 0.01, 0.05) < 350


@pytest.mark.parametrize("bound", BOUND_NAMES)
def test_the_upper_bound_is_below_epsilon_exactly_where_it_is_shown(bound: Bound) -> None:
    rows = torch.stack([torch.tensor([1] * failures + [0] * (200 - failures)) for failures in range(12)])
    shown = shows(bound, rows, 0.04, 0.05)
    assert shown.tolist() == [upper_risk(bound, losses, 0.05) <= 0.04 for losses in rows]
    assert shown[0] and not shown[-1]


def test_data_sorted_by_class_are_judged_as_if_they_were_not() -> None:
    """All losses in front would ruin the gambler at once, all behind would come too late."""
    front = torch.tensor([1] * 10 + [0] * 990)
    back = front.flip(0)
    assert bool(shows("betting", front, 0.03, 0.05)) is bool(shows("betting", back, 0.03, 0.05)) is True
    assert not torch.equal(betting.rejects(back, 0.004, 0.05), shows("betting", back, 0.004, 0.05))


def test_accuracy_is_bet_on_where_there_are_images_enough() -> None:
    enough = images_needed("betting", 0.02, 0.05)
    assert default_bound("accuracy", enough, 0.02, 0.05) == "betting"
    assert default_bound("accuracy", enough - 1, 0.02, 0.05) == "binomial"
    assert default_bound("disagreement", 10 * enough, 0.02, 0.05) == "binomial"


def test_intervals_hold_the_measured_risk() -> None:
    losses = torch.tensor([1] * 5 + [0] * 995)
    low, high = risk_interval("disagreement", losses)
    assert (low, high) == (bounds.lower_share(5, 1000, 0.025), bounds.upper_share(5, 1000, 0.025))
    low, high = risk_interval("accuracy", torch.tensor([1] * 5 + [-1] * 5 + [0] * 990))
    assert -0.02 < low < 0 < high < 0.02
