"""Convolutions over images keep their numbers and get another order in memory, which the whole step then has."""

import harness
import pytest
import small_artifacts as small
import torch
import toys
from torch import nn

from seenn_convert.artifact.artifact import load_artifact
from seenn_convert.passes.order_channels_last import OrderChannelsLast
from seenn_convert.rows import channels_last
from seenn_convert.runtime.early_exit import run_early_exit


def lies_channels_last(values: torch.Tensor) -> bool:
    return values.stride() == channels_last(values.contiguous()).stride()


@pytest.mark.parametrize("make", [toys.conv_bn_relu, toys.residual, toys.depthwise])
def test_weights_keep_their_numbers_in_another_order(make) -> None:
    before = harness.program_of(make)
    after = harness.check_pass(OrderChannelsLast(), before)

    modules = [(m, after.graph_module.get_submodule(name)) for name, m in before.graph_module.named_modules()
               if isinstance(m, nn.Conv2d)]  # fmt: skip
    assert modules
    for old, new in modules:
        assert old.weight.is_contiguous() and lies_channels_last(new.weight.detach())
        assert torch.equal(old.weight, new.weight) and old.bias is new.bias


def test_a_pointwise_weight_that_could_be_read_in_either_order_is_ordered_too() -> None:
    weight = torch.rand(6, 4, 1, 1)

    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert channels_last(weight).stride() == (4, 1, 4, 4) and torch.equal(channels_last(weight), weight)
    assert channels_last(weight[0]) is not None and channels_last(weight[0]).stride() == weight[0].stride()


def test_state_and_currents_follow_the_weights_also_after_loading(tmp_path) -> None:
    """Otherwise every convolution would copy its input and its result."""
    artifact = small.artifact()
    artifact.save(tmp_path / "net")
    for model in (artifact.model(), load_artifact(tmp_path / "net").model()):
        images = small.draw(20, 41)[0]
        state = model.initial_state(len(images))
        drives = model.drive(images)
        for _ in range(2):
            _, _, state = model.step(drives, state)
            images_like = [value for value in state.values() if value.dim() == 4]
            assert images_like and all(lies_channels_last(value) for value in images_like)


def test_weights_are_still_shared_after_loading(tmp_path) -> None:
    small.artifact().save(tmp_path / "net")
    artifact = load_artifact(tmp_path / "net")
    owned = {value.data_ptr() for value in artifact.ann.graph_module.parameters()}

    assert {value.data_ptr() for value in artifact.snn.graph_module.parameters()} <= owned


def test_the_order_of_the_callers_images_does_not_matter() -> None:
    """Also where the drive is the image itself, and where batches differ in it."""
    program = harness.program_of(
        lambda: toys.toy(lambda m, x: m.head((x.relu() + x).mean((2, 3))), head=nn.Linear(3, 5))
    )
    images = torch.randn(32, *program.input_shape)
    last = channels_last(images)
    model = harness.spiking_model(program, images, 6)
    with torch.no_grad():
        whole = run_early_exit(model, [images], 32)
        assert torch.equal(run_early_exit(model, [last], 32).logits, whole.logits)
        assert torch.equal(run_early_exit(model, [last[:20], images[20:]], 4).logits, whole.logits)
