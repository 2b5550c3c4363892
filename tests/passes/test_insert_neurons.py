"""Every ReLU becomes calibrated neurons with explicit state, and nothing else changes."""

import harness
import pytest
import torch
import toys
from theory import quantized_activation
from torch import nn

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.program import Program, Stage, format_program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.types import NEURON_TYPES, Binary, Group, MultiLevel, NeuronType, Signed, UnsignedMultiLevel
from seenn_convert.passes.insert_neurons import InsertNeurons


def inserted(make, neuron_type: NeuronType, **thresholds: torch.Tensor) -> Program:
    return InsertNeurons(thresholds, neuron_type)(harness.ann_program(harness.program_of(make)))


def test_insert_binary_neurons(golden) -> None:
    program = inserted(toys.perceptron, Binary(), relu=torch.tensor(2.0))
    golden.check("insert_neurons_binary.txt", format_program(program))


def test_insert_signed_neurons(golden) -> None:
    program = inserted(toys.conv_bn_relu, Signed(), relu=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    golden.check("insert_neurons_signed.txt", format_program(program))


@pytest.mark.parametrize("neuron_type", [MultiLevel(4), UnsignedMultiLevel(2), Group(8)])
def test_insert_neurons_of_many_levels(golden, neuron_type: NeuronType) -> None:
    program = inserted(toys.perceptron, neuron_type, relu=torch.tensor(2.0))
    golden.check(f"insert_neurons_{neuron_type.name.replace('-', '_')}.txt", format_program(program))


def test_thresholds_are_shaped_to_the_row_and_start_at_one_half() -> None:
    program = inserted(toys.conv_bn_relu, Binary(), relu=torch.tensor([1.0, 2.0, 3.0, 4.0]))
    neuron = program.graph_module.relu

    assert neuron.v_threshold.shape == (4, 1, 1)
    state = initial_state(program, 2)
    assert state["relu_v"].shape == (2, 4, 8, 8)
    assert state["relu_v"][0, :, 0, 0].tolist() == [0.5, 1.0, 1.5, 2.0]
    layerwise = inserted(toys.perceptron, Binary(), relu=torch.tensor(2.0)).graph_module.relu
    assert layerwise.v_threshold.tolist() == [2.0] * 6  # one number for the layer is the same in every channel


def test_a_clipped_relu_caps_its_threshold() -> None:
    """The neuron cannot send more than the activation: thresholds above the maximum come down to it."""
    names = [node.name for node, _ in harness.ann_program(harness.program_of(toys.clipped)).calls()]
    six, half, clamp = names[1], names[3], names[4]
    thresholds = {six: torch.tensor([1.0, 6.0, 7.0, 100.0]), half: torch.tensor(3.0), clamp: torch.tensor(0.1)}
    program = inserted(toys.clipped, Signed(), **thresholds)

    def threshold(name: str) -> list[float]:
        return program.graph_module.get_buffer(f"{name}.v_threshold").flatten().tolist()

    assert threshold(six) == [1.0, 6.0, 6.0, 6.0]
    assert threshold(half) == [0.5] * 4
    assert threshold(clamp) == pytest.approx([0.1] * 4)


@pytest.mark.parametrize("neuron_type", [Binary(), Signed()])
def test_the_first_layer_is_the_quantized_activation_at_every_timestep(neuron_type: NeuronType) -> None:
    """Its current is constant, so after t steps its mean output is QCFS with t levels."""
    program = inserted(toys.perceptron, neuron_type, relu=torch.tensor([0.5, 1.0, 2.0, 0.3, 1.5, 0.7]))
    image, total = harness.images(program), 0.0
    for t, step in enumerate(harness.timesteps(program, image, 9), start=1):
        total = total + step.values["relu_out"]
        current = step.values["first"]
        expected = quantized_activation(current, program.graph_module.relu.v_threshold, t)
        assert torch.allclose(total / t, expected, atol=1e-5)


@pytest.mark.parametrize("neuron_type", NEURON_TYPES.values())
@pytest.mark.parametrize("make", [toys.residual, toys.clipped, toys.leaky, toys.relu_last])
def test_charge_is_conserved_in_every_layer(make, neuron_type: NeuronType) -> None:
    """v_t = v_0 + sum of currents - sum of outputs, at every step of a whole network."""
    program = harness.spiking_program(harness.program_of(make), neuron_type)
    layers = {node.name: node for node, module in program.calls() if isinstance(module, Neuron)}
    image = harness.images(program)
    start = initial_state(program, len(image))
    charge = {name: start[f"{name}_v"].clone() for name in layers}
    for step in harness.timesteps(program, image, 6):
        drives = {node.name: node.all_input_nodes[0].name for node in layers.values()}
        for name, source in drives.items():
            charge[name] += step.values[source] - step.values[f"{name}_out"]
            assert torch.allclose(step.state[f"{name}_v"], charge[name], atol=1e-4)


def test_the_relu_as_last_operator_gives_spikes_as_readout() -> None:
    program = inserted(toys.relu_last, Binary(), relu=torch.tensor(0.5))

    assert program.results == ("current",)
    for step in harness.timesteps(program, harness.images(program), 3):
        assert set(step.results[0].unique().tolist()) <= {0.0, 0.5}


def test_the_relu_on_the_image() -> None:
    program = inserted(toys.relu_on_image, Signed(), relu=torch.tensor([1.0, 2.0, 3.0]))

    assert [spec.shape for spec in program.states] == [(3, 8, 8), (3, 8, 8)]
    assert program.stage is Stage.SNN


def test_thresholds_go_to_the_layer_of_their_name() -> None:
    relus = {f"relu{suffix}": torch.tensor(float(i + 1)) for i, suffix in enumerate(("", "_1", "_2", "_3"))}
    program = inserted(toys.residual, Binary(), **relus)

    found = {name: program.graph_module.get_buffer(f"{name}.v_threshold").unique().item() for name in relus}
    assert found == {"relu": 1.0, "relu_1": 2.0, "relu_2": 3.0, "relu_3": 4.0}


@pytest.mark.parametrize(
    ("make", "thresholds", "message"),
    [
        (toys.no_relu, {}, "no ReLU-family activation: nothing would spike"),
        (toys.residual, {"relu": 1.0, "relu_2": 1.0}, "no threshold for relu_1, relu_3; calibrate this very program"),
        (toys.perceptron, {"relu": 0.0}, "a threshold of relu is not positive"),
        (toys.perceptron, {"relu": float("nan")}, "a threshold of relu is not positive"),
    ],
)
def test_what_it_refuses(make, thresholds: dict[str, float], message: str) -> None:
    values = {name: torch.tensor(value) for name, value in thresholds.items()}

    with pytest.raises(PreconditionError, match=message):
        inserted(make, Binary(), **values)


def test_a_leaky_relu_must_be_split_before() -> None:
    """A neuron cannot send what a LeakyReLU sends for negative input."""
    with pytest.raises(PreconditionError, match="act: no neuron has negative outputs; run SplitLeakyReLU"):
        InsertNeurons({"act": torch.tensor(1.0)}, Signed())(harness.program_of(toys.leaky))


def test_the_ann_keeps_its_activations() -> None:
    ann = harness.ann_program(harness.program_of(toys.perceptron))
    image = harness.images(ann)
    before = ann(image)
    InsertNeurons({"relu": torch.tensor(1.0)}, Binary())(ann)

    assert isinstance(ann.graph_module.relu, nn.ReLU)
    assert torch.equal(ann(image), before)
