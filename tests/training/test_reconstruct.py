"""Thresholds and weights tuned to the ANN's own activations: the loss falls, the ANN stays, no label is read."""

import harness
import pytest
import small_artifacts as small
import torch
import toys
from calibrating import calibrate
from torch import Tensor, nn

from seenn_convert.calibration.output_error import output_errors, overall
from seenn_convert.calibration.rules import MaxRule, MseRule
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, encoding_passes
from seenn_convert.training.reconstruct import Reconstruction, reconstruct

IMAGES = small.draw(64, 3)[0]


def tuned(updates: int = 120) -> Reconstruction:
    return reconstruct(small.ann_program(), small.calibration().v_thresholds(), [IMAGES] * updates, updates, 4)


def test_it_brings_the_network_in_levels_closer_to_the_ann() -> None:
    """On other images, and in the spiking network itself, not only in what stands in for it."""
    found, ann, others = tuned(), small.ann_program(), small.draw(100, 9)[0]
    assert sum(found.losses[-9:]) < 0.7 * sum(found.losses[:9])
    before = overall(output_errors(ann, ann, small.calibration().v_thresholds(), Signed(), 4, others))
    after = overall(output_errors(ann, found.ann, found.v_thresholds, Signed(), 4, others))
    assert after < 0.9 * before


def test_the_given_program_and_thresholds_are_untouched() -> None:
    ann, thresholds = small.ann_program(), small.calibration().v_thresholds()
    weights = {name: value.clone() for name, value in ann.graph_module.state_dict().items()}
    given = {name: value.clone() for name, value in thresholds.items()}
    found = reconstruct(ann, thresholds, [IMAGES] * 3, 3, 2)

    assert all(torch.equal(ann.graph_module.state_dict()[name], value) for name, value in weights.items())
    assert all(torch.equal(thresholds[name], value) for name, value in given.items())
    assert any(not torch.equal(found.ann.graph_module.state_dict()[name], value) for name, value in weights.items())
    assert not any(parameter.requires_grad for parameter in found.ann.graph_module.parameters())
    assert all((value > 0).all() for value in found.v_thresholds.values())


def test_a_share_of_the_way_lies_between_what_was_and_what_was_tuned() -> None:
    ann, thresholds, found = small.ann_program(), small.calibration().v_thresholds(), tuned(9)
    start, half, end = (found.up_to(share, ann, thresholds) for share in (0.0, 0.5, 1.0))
    first, last = (dict(one.graph_module.named_parameters()) for one in (ann, found.ann))
    for name, weight in half.ann.graph_module.named_parameters():
        assert torch.allclose(weight, (first[name] + last[name]) / 2, atol=1e-6)
    for share, one in ((first, start), (last, end)):
        assert all(torch.equal(share[name], w) for name, w in one.ann.graph_module.named_parameters())
    for name, value in half.v_thresholds.items():
        assert torch.allclose(value.square(), thresholds[name] * found.v_thresholds[name])
        assert torch.allclose(start.v_thresholds[name], thresholds[name])


def test_without_images_nothing_changes() -> None:
    found = reconstruct(small.ann_program(), small.calibration().v_thresholds(), [], 0, 2)
    state = small.ann_program().graph_module.state_dict()
    assert all(torch.equal(found.ann.graph_module.state_dict()[name], value) for name, value in state.items())
    assert found.losses == ()
    for name, value in small.calibration().v_thresholds().items():
        assert torch.allclose(found.v_thresholds[name], value)


def relu6(m: nn.Module, x: Tensor) -> Tensor:
    return m.head(nn.functional.relu6(m.conv(x)).mean((2, 3)))


def gelu(m: nn.Module, x: Tensor) -> Tensor:
    return m.head(nn.functional.gelu(m.conv(x)).mean((2, 3)))


@pytest.mark.parametrize("body", [relu6, gelu])
def test_clipped_activations_and_encoders_are_put_in_levels_too(body) -> None:
    torch.manual_seed(0)
    net = toys.toy(body, conv=toys.conv(), head=nn.Linear(4, 5))
    image = torch.randn(16, *net.input_shape)
    ann = run_passes(from_torch(net, net.input_shape), ANN_PASSES)
    ann = run_passes(ann, encoding_passes(ann, "auto"))
    thresholds = calibrate(ann, [image], MaxRule()).v_thresholds()
    found = reconstruct(ann, thresholds, [image] * 60, 60, 2)
    assert sum(found.losses[-6:]) < sum(found.losses[:6])


def test_a_root_that_has_no_slope_where_nothing_fires_spoils_nothing() -> None:
    """Activations in levels are often exactly 0, where the slope of a root is infinite: such updates are left out."""
    torch.manual_seed(0)
    net = toys.toy(
        lambda m, x: m.head(m.conv(x).relu().sqrt().mean((2, 3))), conv=nn.Conv2d(3, 4, 3), head=nn.Linear(4, 3)
    )
    ann = harness.as_program(net)
    image = harness.images(ann)
    thresholds = calibrate(ann, [image], MaxRule()).v_thresholds()
    found = reconstruct(ann, thresholds, [image] * 5, 5, 2)
    assert all(bool(value.isfinite().all()) for value in found.ann.graph_module.state_dict().values())
    assert all(bool(value.isfinite().all()) for value in found.v_thresholds.values())


def test_per_layer_thresholds_stay_one_a_layer() -> None:
    thresholds = calibrate(small.ann_program(), [IMAGES], MseRule(), per_channel=False).v_thresholds()
    found = reconstruct(small.ann_program(), thresholds, [IMAGES] * 2, 2, 4)
    assert all(value.shape == () for value in found.v_thresholds.values())
