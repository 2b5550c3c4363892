"""A choice of exit steps is judged by what happened up to them."""

import pytest
import torch

from seenn_convert.artifact.schema.comparison import PriceFacts
from seenn_convert.exits.readouts import from_logits
from seenn_convert.measure.costs import Counts
from seenn_convert.measure.judge import Judge


def test_a_planned_exit_costs_the_head_on_top_of_the_same_timesteps() -> None:
    record = from_logits(torch.rand(2, 3, 2), torch.rand(3, 2), torch.tensor([0, 1, 0]))
    prices = PriceFacts(stem=1.0, step=2.0, plan=0.5, images=3, batch_size=3, threads=1)
    counted = torch.tensor([[10.0, 20.0, 30.0], [15.0, 25.0, 35.0]])
    judge = Judge(record, Counts(counted, counted, counted, {}), prices, 7)
    plain, planned = (judge.point(torch.tensor([1, 2, 1]), planned=planned) for planned in (False, True))

    assert (plain.synaptic_operations, planned.synaptic_operations) == pytest.approx((65 / 3, 65 / 3 + 7))
    assert (plain.milliseconds, planned.milliseconds) == pytest.approx((1 + 2 * 4 / 3, 1.5 + 2 * 4 / 3))
    assert plain.accuracy == planned.accuracy
