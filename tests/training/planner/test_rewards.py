"""Rewards of exits against numbers worked out by hand."""

import pytest
import torch

from seenn_convert.errors import InputError
from seenn_convert.training.planner.rewards import PaperReward, PricedReward

RIGHT = torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])


def test_a_timestep_has_a_price() -> None:
    losses = PricedReward((0.1,)).losses(RIGHT, 0.1)
    torch.testing.assert_close(losses, torch.tensor([[0.0, -1.0], [-0.9, -0.9], [-0.8, 0.2]]))
    assert PricedReward().weights(RIGHT).tolist() == [1, 1]


def test_the_reward_of_the_paper() -> None:
    """2**-k where right, -beta where wrong, over 1 + beta so that all settings have one scale."""
    losses = PaperReward((3.0,)).losses(RIGHT, 3.0)
    torch.testing.assert_close(losses, torch.tensor([[3.0, -1.0], [-0.5, -0.5], [-0.25, 3.0]]) / 4)


def test_the_weights_of_the_paper_balance_easy_and_hard() -> None:
    """Three of four are right at once: the fourth weighs as much as they do together."""
    right = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    torch.testing.assert_close(PaperReward().weights(right), torch.tensor([1.0, 1.0, 1.0, 3.0]))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_rate_of_0_or_1_gives_finite_weights(value: float) -> None:
    weights = PaperReward().weights(torch.full((3, 5), value))
    assert weights.isfinite().all() and (weights > 0).all()


@pytest.mark.parametrize("settings", [(), (-1.0,), (float("nan"),), (float("inf"),)])
def test_settings_that_make_no_sense(settings: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="each price must be"):
        PricedReward(settings)
    with pytest.raises(InputError, match="each beta must be"):
        PaperReward(settings)
