"""A linear layer of any width gives a row the same bits wherever it stands in the batch."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.calibration.calibration import calibrate
from seenn_convert.calibration.rules import MaxRule
from seenn_convert.kinds import Signed
from seenn_convert.operators import Pad
from seenn_convert.passes.align_linear import WIDTH, AlignLinear
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, last_passes, probe_pass, spiking_passes
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel


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
    (pad,) = [module for _, module in ann.calls() if isinstance(module, Pad)]
    assert layer.in_features == 8 and layer.in_features % WIDTH == 0 and not layer.weight[:, features:].any()
    assert pad.amounts == (0, 8 - features)


def test_aligned_layers_are_left_alone() -> None:
    ann = harness.check_pass(AlignLinear(), harness.program_of(lambda: narrow(8)))

    assert not ann.history[-1].changed


@pytest.mark.parametrize("features", [5, 6, 7, 9])
def test_a_row_has_the_same_bits_wherever_it_stands(features: int) -> None:
    torch.manual_seed(features)
    program = harness.program_of(lambda: narrow(features))
    images = torch.randn(32, *program.input_shape)
    with torch.no_grad():
        ann = run_passes(program, (*ANN_PASSES, *last_passes("graded")), images)
        thresholds = calibrate(ann, [images], MaxRule()).v_thresholds()
        snn = run_passes(ann, spiking_passes(ann, thresholds, Signed()))
        probed = run_passes(snn, [probe_pass(ann, "confidence", torch.ones(6))])
        model = SpikingModel(probed, 6, FixedPolicy(6))
        whole = run_early_exit(model, [images], 32)
        for by in (1, 2, 3):
            moved = run_early_exit(model, [images.roll(by, 0)], 32)
            assert torch.equal(moved.logits, whole.logits.roll(by, 0))
