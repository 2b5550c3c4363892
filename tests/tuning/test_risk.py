"""Losses image by image, and the bounds that go with them."""

import pytest
import torch

from seenn_convert.tuning import betting, bounds
from seenn_convert.tuning.risk import (
    BOUND_NAMES,
    counted,
    exit_losses,
    images_needed,
    p_values,
    risk_interval,
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
    counts = counted(losses)
    assert float(p_values("binomial", counts, 0.1)) == float(bounds.binomial_p_values(torch.tensor(1), 100, 0.1))
    values = torch.tensor([-1.0, 0.0, 1.0])
    assert float(p_values("betting", counts, 0.1)) == float(betting.betting_p_values(values, counts, 0.1))
    assert upper_risk("binomial", losses, 0.05) == bounds.upper_share(1, 100, 0.05)
    assert upper_risk("betting", losses, 0.05) == betting.upper_mean(losses, 0.05)
    assert images_needed("binomial", 0.01, 0.05) == 299 < images_needed("betting", 0.01, 0.05)


@pytest.mark.parametrize("bound", BOUND_NAMES)
def test_the_upper_bound_is_below_epsilon_exactly_where_the_test_rejects(bound: str) -> None:
    for failures in range(0, 12):
        losses = torch.tensor([1] * failures + [0] * (200 - failures))
        rejected = float(p_values(bound, counted(losses), 0.04)) <= 0.05  # type: ignore[arg-type]
        assert (upper_risk(bound, losses, 0.05) <= 0.04) is rejected  # type: ignore[arg-type]


def test_intervals_hold_the_measured_risk() -> None:
    losses = torch.tensor([1] * 5 + [0] * 995)
    low, high = risk_interval("disagreement", losses)
    assert (low, high) == (bounds.lower_share(5, 1000, 0.025), bounds.upper_share(5, 1000, 0.025))
    low, high = risk_interval("accuracy", torch.tensor([1] * 5 + [-1] * 5 + [0] * 990))
    assert -0.02 < low < 0 < high < 0.02
