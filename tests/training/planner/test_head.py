"""A policy head is as large as it may be, for whatever the stem gives."""

import pytest
import torch

from seenn_convert.analysis.coverage import macs_of
from seenn_convert.training.planner.head import FEATURES, SIZES, normalisation, plan_head


@pytest.mark.parametrize("shapes", [
    [(16, 32, 32)], [(64, 32, 32)], [(3, 224, 224)], [(4, 8, 8), (4, 8, 8)], [(5, 7, 9)], [(512, 4, 4)], [(1, 1, 1)],
    [(7,)], [(2, 20)], [(100, 100)], [(3, 4, 5, 6)], [(4, 8, 8), (7,)],
])  # fmt: skip
@pytest.mark.parametrize("most", [0.0, 3e4, 1e9])
def test_any_drives_give_logits_of_all_timesteps(shapes: list[tuple[int, ...]], most: float) -> None:
    plan = plan_head("drive", shapes, 6, most, seed=0)
    inputs = [torch.randn(5, *shape) for shape in shapes]
    value = plan.features(inputs)
    assert value[0].numel() <= max(FEATURES, 512)
    for module in plan.trunk:
        value = module(value)
    assert value.shape == (5, plan.width)


@pytest.mark.parametrize("most", [2e3, 2e4, 1e5, 1e6])
def test_the_multiply_accumulates_stay_within_the_bound(most: float) -> None:
    """Counted layer by layer, as the report does."""
    plan = plan_head("drive", [(16, 32, 32)], 16, most, seed=0)
    value, macs = plan.features([torch.zeros(1, 16, 32, 32)]), 0
    for module in (*plan.trunk, torch.nn.Linear(plan.width, 16)):
        before, value = value, module(value)
        macs += macs_of(module, tuple(value.shape[1:]), tuple(before.shape[1:]))
    assert macs <= most


def test_more_room_is_used_and_the_seed_decides_about_the_weights() -> None:
    small, large = (plan_head("drive", [(16, 32, 32)], 16, most, seed=0) for most in (1e3, 1e6))
    assert len(small.trunk) < len(large.trunk) == 2 * len(SIZES[1][1]) + 1
    same, other = (plan_head("drive", [(16, 32, 32)], 16, 1e6, seed=seed) for seed in (0, 1))
    assert torch.equal(same.trunk[0].weight, large.trunk[0].weight)
    assert not torch.equal(other.trunk[0].weight, large.trunk[0].weight)


@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 4, 4)])
def test_normalised_channels_have_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    features = 3 + 2 * torch.randn(shape)
    features[:, 1] = 7.0  # a channel that is always the same
    found = normalisation(features)(features)
    assert torch.allclose(found.transpose(0, 1).flatten(1).mean(1), torch.zeros(3), atol=1e-5)
    deviation = found.transpose(0, 1).flatten(1).std(1, correction=0)
    assert torch.allclose(deviation[[0, 2]], torch.ones(2), atol=1e-5) and deviation[1] < 1e-3
