"""A linear layer of any width gives a row the same bits wherever it stands in the batch."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.ir.operators import PaddedLinear
from seenn_convert.passes.align_linear import AlignLinear
from seenn_convert.runtime.early_exit import run_early_exit


def narrow(features: int) -> nn.Module:
    """Return a network whose classifier has that many inputs."""
    return toys.toy(
        lambda m, x: m.head(m.conv(x).relu().mean((2, 3))),
        conv=nn.Conv2d(3, features, 3, padding=1), head=nn.Linear(features, 5),
    )  # fmt: skip


@pytest.mark.parametrize("features", [5, 6, 7])
def test_narrow_layers_are_widened_with_zeros(features: int) -> None:
    ann = harness.check_pass(AlignLinear(), harness.program_of(lambda: narrow(features)))

    (layer,) = [module for _, module in ann.calls() if isinstance(module, nn.Linear)]
    assert isinstance(layer, PaddedLinear) and layer.in_features == features
    assert layer.weight.shape[1] == 8 and 8 % PaddedLinear.WIDTH == 0 and not layer.weight[:, features:].any()


def test_what_is_added_counts_as_no_operation() -> None:
    program = harness.program_of(lambda: narrow(7))

    assert [site.macs for site in call_sites(AlignLinear()(program))] == [site.macs for site in call_sites(program)]


def test_aligned_layers_are_left_alone() -> None:
    ann = harness.check_pass(AlignLinear(), harness.program_of(lambda: narrow(8)))

    assert not ann.history[-1].changed


@pytest.mark.parametrize("features", [5, 6, 7, 9])
def test_a_row_has_the_same_bits_wherever_it_stands(features: int) -> None:
    torch.manual_seed(features)
    program = harness.program_of(lambda: narrow(features))
    images = torch.randn(32, *program.input_shape)
    model = harness.spiking_model(program, images, 6)
    with torch.no_grad():
        whole = run_early_exit(model, [images], 32)
        for by in (1, 2, 3):
            moved = run_early_exit(model, [images.roll(by, 0)], 32)
            assert torch.equal(moved.logits, whole.logits.roll(by, 0))
