"""A price of a timestep moves the plans of a policy head."""

import small_artifacts as small
import torch
from torch import nn

from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.operators import Reshape
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import PlannedPolicy, planned_timesteps
from seenn_convert.runtime.priced_plan import PricedPlan, priced
from seenn_convert.runtime.spiking_model import SpikingModel


def test_a_price_moves_the_plans_and_the_run_follows_it() -> None:
    """Of logits (0, 3, 4), timestep 3 leads at 0; at 2 timestep 2 does: -2, -1, -2; at 4 timestep 1: -4, -5, -8."""
    logits = torch.tensor([[0.0, 3.0, 4.0]])
    assert [int(planned_timesteps(priced(logits, price))) for price in (0.0, 2.0, 4.0)] == [3, 2, 1]

    head = PolicyHead("image", ((Reshape((64,)),),), (nn.Linear(64, 6),))
    model = SpikingModel(run_passes(small.model(6).program, [AttachPolicy(head, 6)]), 6, PlannedPolicy())
    images = small.draw(50, 2)[0]
    steps = run_early_exit(PricedPlan(model, 0.3), [images], 20).exit_step
    assert torch.equal(steps, collect_readouts(model, [images], keep_plan=True).planned(0.3))
    assert not torch.equal(steps, run_early_exit(model, [images], 20).exit_step)
