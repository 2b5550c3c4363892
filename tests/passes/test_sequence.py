"""The passes together: the same numbers as the user's model, and a spiking network that converges to it."""

import harness
import pytest
import torch
import toys

from seenn_convert.ir.operators import RELU_FAMILY
from seenn_convert.ir.program import Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.types import NEURON_TYPES
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES


@pytest.mark.parametrize("make", toys.ALL)
def test_the_ann_passes_keep_the_outputs_of_the_model(make) -> None:
    """Against the module itself, for several batch sizes, and a second run of all changes nothing."""
    torch.manual_seed(0)
    model, ann = make(), harness.ann_program(harness.program_of(make))
    for count in (1, 2, 5):
        batch = harness.images(ann, count)
        with torch.no_grad():
            harness.assert_same(ann(batch), model(batch.clone()))
    assert harness.format_program(run_passes(ann, ANN_PASSES)) == harness.format_program(ann)


@pytest.mark.parametrize("make", toys.SPIKING)
def test_every_toy_becomes_a_spiking_program(make) -> None:
    for neuron_type in NEURON_TYPES.values():
        ann = harness.ann_program(harness.program_of(make))
        snn = harness.spiking_program(harness.program_of(make), neuron_type)
        activations = sum(isinstance(module, RELU_FAMILY) for _, module in ann.calls())
        assert snn.stage is Stage.SNN and snn.stem is not None
        assert sum(isinstance(module, Neuron) for _, module in snn.calls()) == activations


@pytest.mark.parametrize("make", toys.SPIKING)
def test_the_mean_readout_converges_to_the_ann(make) -> None:
    """With thresholds no activation exceeds, signed neurons make the error fall as 1/T."""
    ann = harness.ann_program(harness.program_of(make))
    snn = harness.spiking_program(harness.program_of(make))
    batch, expected = harness.images(ann), ann(harness.images(ann))
    total, errors = 0.0, {}
    for t, step in enumerate(harness.timesteps(snn, batch, 512), start=1):
        total = total + step.results[0]
        errors[t] = harness.relative_error(total / t, expected)

    assert errors[512] < 0.02
    assert errors[512] < errors[32] / 4


def test_a_converted_layer_is_a_neuron_for_each_activation_and_slope() -> None:
    snn = harness.spiking_program(harness.program_of(toys.leaky))

    assert [node.name for node, module in snn.calls() if isinstance(module, Neuron)] == ["act", "act_negative"]
