"""Activations that only gate other values make no neurons, so a gate is exact; those that drive weights do."""

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.grade_gates import GradeGates


def hard_swish(x: Tensor) -> Tensor:
    return x * F.relu6(x + 3) / 6


def excite(x: Tensor) -> Tensor:
    return x * F.relu6(x.mean(dim=(2, 3), keepdim=True) + 3) / 6


def neurons_of(act: harness.Callable[[Tensor], Tensor]) -> int:
    model = toys.toy(lambda m, x: act(m.conv(x)).flatten(1), conv=toys.conv())
    return sum(isinstance(module, SPIKING_OPERATORS) for _, module in harness.check_pass(GradeGates(), model).calls())


@pytest.mark.parametrize("act", [
    hard_swish, excite, lambda x: F.relu(x) * F.relu(-x + 1), lambda x: F.relu(x).flip(1) * x,
])  # fmt: skip
def test_what_only_gates_makes_no_neurons(act: harness.Callable[[Tensor], Tensor]) -> None:
    assert neurons_of(act) == 0


@pytest.mark.parametrize("act", [
    F.relu,  # the output reads it
    lambda x: F.relu(x) + F.relu6(x + 3) * x,  # a sum does, and only the other one gates
    lambda x: F.max_pool2d(F.relu(x), 2),  # one value at a time: no gate
    lambda x: F.relu(F.relu(x) + x.flip(1)),  # an activation reads the first
])  # fmt: skip
def test_other_activations_keep_their_neurons(act: harness.Callable[[Tensor], Tensor]) -> None:
    assert neurons_of(act) >= 1


def test_an_activation_that_drives_weights_keeps_its_neurons() -> None:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        gate = F.relu6(m.conv(x) + 3)
        return m.other(gate).mean(dim=(2, 3)) + (gate * 2 - gate * gate).mean(dim=(2, 3))

    conv = toys.conv()
    model = toys.toy(forward, conv=conv, other=nn.Conv2d(conv.out_channels, conv.out_channels, 1))
    found = harness.check_pass(GradeGates(), model)
    assert any(isinstance(module, SPIKING_OPERATORS) for _, module in found.calls())


def test_a_hard_swish_in_parts_is_exact_in_the_mean() -> None:
    """Behind spikes, its mean output is the hard swish of its mean input at every timestep, as of one operator."""

    def forward(m: nn.Module, x: Tensor) -> Tensor:
        return hard_swish(m.other(F.relu(m.conv(x)))).flatten(1)

    conv = toys.conv()
    snn = harness.spiking_program(toys.toy(forward, conv=conv, other=nn.Conv2d(conv.out_channels, 3, 3)))
    found = [node.name for node, module in snn.calls() if isinstance(module, Neuron)]
    mean_in, mean_out = torch.zeros(()), torch.zeros(())
    for t, step in enumerate(harness.timesteps(snn, harness.images(snn), 6), start=1):
        mean_in, mean_out = mean_in + step.values["other"], mean_out + step.results[0]
        assert torch.allclose(mean_out / t, F.hardswish(mean_in / t).flatten(1), atol=1e-5)
    assert len(found) == 1
