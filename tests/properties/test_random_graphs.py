"""Laws that hold for every network: random small graphs of all kinds of operators, drawn by hypothesis."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from calibrating import calibrate
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.calibration.output_error import prefix_errors
from seenn_convert.calibration.rules import MaxRule
from seenn_convert.errors import CalibrationDataError
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.neurons.types import Signed, Tracking
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, encoding_passes, probe_pass, spiking_passes
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

CHANNELS, SIDE, CLASSES = 4, 6, 5
Step = Callable[[Any, int, Tensor], Tensor]


def gate(m: Any, i: int, x: Tensor) -> Tensor:
    return x * torch.sigmoid(m.layers[i](x).mean((2, 3), keepdim=True))


def attend(m: Any, i: int, x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(tokens, m.layers[i](x).flatten(2).transpose(1, 2), tokens).mT.reshape(x.shape)


def windows(m: Any, i: int, x: Tensor) -> Tensor:
    """Parts of a row folded into the batch axis, worked on, and put back."""
    parts = x.reshape(x.shape[0], CHANNELS, 2, 3, SIDE).permute(0, 2, 1, 3, 4).reshape(-1, CHANNELS, 3, SIDE)
    parts = m.layers[i](parts).reshape(x.shape[0], 2, CHANNELS, 3, SIDE)
    return parts.permute(0, 2, 1, 3, 4).reshape(x.shape)


def shuffle(m: Any, i: int, x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], 2, 2, SIDE, SIDE).transpose(1, 2).reshape(x.shape)


STEPS: dict[str, Step] = {
    "conv": lambda m, i, x: m.layers[i](x),
    "conv_bn_relu": lambda m, i, x: F.relu(m.norms[i](m.layers[i](x))),
    "relu": lambda m, i, x: F.relu(x),
    "relu6": lambda m, i, x: F.relu6(3 * x),
    "leaky": lambda m, i, x: F.leaky_relu(x, 0.3),
    "prelu": lambda m, i, x: m.slopes[i](x),
    "clamp": lambda m, i, x: x.clamp(-0.7, 0.9),
    "silu": lambda m, i, x: F.silu(x),
    "gelu": lambda m, i, x: F.gelu(x),
    "hardswish": lambda m, i, x: F.hardswish(x),
    "max_pool": lambda m, i, x: F.max_pool2d(x, 3, 1, 1),
    "padded_max_pool": lambda m, i, x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 2, 1),
    "avg_pool": lambda m, i, x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "residual": lambda m, i, x: x + m.layers[i](F.relu(x)),
    "signed_sum": lambda m, i, x: x - 0.5 * m.layers[i](x),
    "gate": gate,
    "group_norm": lambda m, i, x: F.group_norm(x, 2),
    "layer_norm": lambda m, i, x: F.layer_norm(x, (SIDE,)),
    "softmax_gate": lambda m, i, x: x * torch.softmax(m.layers[i](x), 1),
    "shuffle": shuffle,
    "spatial_gate": lambda m, i, x: x * torch.sigmoid(x.max(1, keepdim=True).values + x.mean(1, keepdim=True)),
    "order": lambda m, i, x: x.sort(1).values - 0.5 * x.topk(1, 3).values,
    "reflect": lambda m, i, x: F.pad(x, (1, 0, 0, 1), "reflect")[:, :, 1:, :-1],
    "upsample": lambda m, i, x: F.avg_pool2d(F.interpolate(x, scale_factor=2, mode="nearest"), 2) + x.flip(3),
    "split": lambda m, i, x: torch.cat([F.relu(x[:, 2:]), x[:, :2]], 1),
    "attend": attend,
    "windows": windows,
    "affine": lambda m, i, x: 0.8 * x + 0.1,
}


class Drawn(nn.Module):
    """A stem, the steps by name, a head; every step keeps the shape."""

    def __init__(self, names: list[str], seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.names = names
        self.stem = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in names)
        self.norms = nn.ModuleList(nn.BatchNorm2d(CHANNELS) for _ in names)
        self.slopes = nn.ModuleList(nn.PReLU(CHANNELS, init=0.2 * (-1) ** i) for i in range(len(names)))
        self.head = nn.Linear(CHANNELS * SIDE * SIDE, CLASSES)
        toys.warm(self)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for index, name in enumerate(self.names):
            x = STEPS[name](self, index, x)
        return self.head(x.flatten(1))


networks = st.builds(
    Drawn, st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5), st.integers(0, 2**16)
).map(lambda net: net.eval())
FAST = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
THOROUGH = settings(FAST, max_examples=30)


def check_parity(net: Drawn, program: Program, ann: Program) -> None:
    for rows in (1, 3, 6):
        batch = harness.images(program, rows)
        harness.assert_same(program(batch), net(batch))
        harness.assert_same(ann(batch), net(batch), 3e-5)  # single passes are held to 1e-5; several may add up


def check_convergence(net: Drawn, ann: Program, thresholds: dict[str, Tensor]) -> None:
    """With tracking neurons the error of the mean output falls with the timesteps, to almost nothing."""
    snn = run_passes(ann, spiking_passes(ann, thresholds, Tracking(64)))
    batch = harness.images(ann, 6)
    early, late = prefix_errors(snn, batch, ann(batch), (2, 64))
    assert late <= max(early / 4, 1e-3), (net.names, early, late)
    assert late <= 0.02, (net.names, early, late)


def check_rows(net: Drawn, ann: Program, thresholds: dict[str, Tensor]) -> None:
    """Any batch split and any order of the rows give each row the same exit step and the same bits."""
    snn = run_passes(ann, spiking_passes(ann, thresholds, Signed()))
    model = SpikingModel(run_passes(snn, [probe_pass(ann, CONFIDENCE, torch.ones(6))]), 6, ThresholdPolicy("confidence", (0.3,)))
    batch = harness.images(ann, 24)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(len(net.names)))
    whole = run_early_exit(model, [batch], 24)
    other = run_early_exit(model, batch[order].split([5, 1, 11, 7]), 17)
    assert torch.equal(other.exit_step, whole.exit_step[order])
    assert torch.equal(other.logits, whole.logits[order])


def check_laws(net: Drawn) -> None:
    with torch.no_grad():
        program = from_torch(net, (3, SIDE, SIDE))
        ann = run_passes(program, ANN_PASSES, harness.images(program, 6))
        check_parity(net, program, ann)
        ann = run_passes(ann, encoding_passes(ann, "auto"))
        try:
            thresholds = calibrate(ann, [harness.images(ann, 24)], MaxRule()).v_thresholds()
        except CalibrationDataError as error:  # random weights may leave most activations dead
            assert "no positive activation" in str(error)
            return
        check_convergence(net, ann, thresholds)
        check_rows(net, ann, thresholds)


@FAST
@given(networks)
def test_laws(net: Drawn) -> None:
    check_laws(net)


@pytest.mark.slow
def test_laws_at_length() -> None:
    THOROUGH(given(networks)(check_laws))()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STEPS))
def test_every_step_alone(name: str) -> None:
    check_laws(Drawn(["conv_bn_relu", name], 3).eval())
