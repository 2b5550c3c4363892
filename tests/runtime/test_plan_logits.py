"""The plan of a data set, and with the scores of all timesteps the exit steps of any planned policy."""

import small_artifacts as small
import torch
from torch import nn

from seenn_convert.ir.operators import Reshape
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.plan_logits import PricedPlan, plan_logits, priced_timesteps
from seenn_convert.runtime.policies import (
    ConfidencePolicy,
    PlannedPolicy,
    PlannedScorePolicy,
    exit_steps,
    planned_timesteps,
)
from seenn_convert.runtime.spiking_model import SpikingModel


def test_cached_plans_and_scores_give_the_exit_steps_of_the_run() -> None:
    head = PolicyHead("image", ((Reshape((64,)),),), (nn.Linear(64, 6),))
    policy = PlannedScorePolicy(ConfidencePolicy((0.9,)))
    model = SpikingModel(run_passes(small.model(6).program, [AttachPolicy(head, 6)]), 6, policy)
    images = small.draw(50, 2)[0]
    plans = plan_logits(model, images.split(13))
    assert plans.shape == (50, 6)
    assert torch.equal(plans, plan_logits(model, [images[:0], images]))
    scores = run_all_timesteps(model, [images]).scores
    steps = exit_steps(policy, scores, planned=planned_timesteps(plans))
    assert torch.equal(steps, run_early_exit(model, [images], 20).exit_step)
    assert plan_logits(model, []).shape == (0, 6)


def test_a_price_moves_the_plans_and_the_run_follows_it() -> None:
    """Of logits (0, 3, 4), timestep 3 leads at 0; at 2 timestep 2 does: -2, -1, -2; at 4 timestep 1: -4, -5, -8."""
    logits = torch.tensor([[0.0, 3.0, 4.0]])
    assert [int(priced_timesteps(logits, price)) for price in (0.0, 2.0, 4.0)] == [3, 2, 1]

    head = PolicyHead("image", ((Reshape((64,)),),), (nn.Linear(64, 6),))
    model = SpikingModel(run_passes(small.model(6).program, [AttachPolicy(head, 6)]), 6, PlannedPolicy())
    images = small.draw(50, 2)[0]
    steps = run_early_exit(PricedPlan(model, 0.3), [images], 20).exit_step
    assert torch.equal(steps, priced_timesteps(plan_logits(model, [images]), 0.3))
    assert not torch.equal(steps, run_early_exit(model, [images], 20).exit_step)
