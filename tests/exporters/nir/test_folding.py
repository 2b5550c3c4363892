"""Thresholds are folded into weights: each is 1, and every spike of the network stays where it was."""

import portable_networks as portable
import pytest
import theory
import torch
from torch import Tensor, nn

from seenn_convert.choices import READER_NAMES, Reader
from seenn_convert.errors import ExportError
from seenn_convert.exporters.nir.comparison import compared_runs
from seenn_convert.exporters.nir.exporter import NirExporter
from seenn_convert.exporters.nir.folding import folded
from seenn_convert.exporters.nir.forms import FORMS
from seenn_convert.exporters.nir.graph import Convolution, NirGraph, Pool
from seenn_convert.exporters.nir.interpreter import run
from seenn_convert.exporters.nir.layers import Layer, Layers, Sum, layers_of
from seenn_convert.exporters.nir.shaping import pooling
from seenn_convert.neurons.layers import BinaryNeuron
from seenn_convert.neurons.leaky import LeakyNeuron

BY_CHANNEL = torch.tensor([0.5, 2.0, 0.75]).reshape(3, 1, 1)


def graph_of(name: str, reader: Reader = "primitives") -> NirGraph:
    graph, refusals = folded(layers_of(portable.artifact(name))[0], FORMS[reader])
    assert refusals == []
    return graph


def neurons_alone(reader: Reader, v_threshold: Tensor = BY_CHANNEL) -> NirGraph:
    """Return neurons that read the image and send the output."""
    neuron = BinaryNeuron(v_threshold, v_threshold / 2)
    shape = (3, 2, 2)
    layer = Layer("fire", neuron, Sum({"input": 1.0}), shape, shape)
    graph, refusals = folded(Layers(shape, (layer,), Sum({"fire": 1.0}), shape), FORMS[reader])
    assert refusals == []
    return graph


@pytest.mark.parametrize("reader", READER_NAMES)
def test_the_spike_count_is_the_quantised_activation(reader: Reader) -> None:
    """The law of the neuron, for thresholds that differ by channel, in each reader's form; ties fire."""
    timesteps = 8
    drive = torch.linspace(-1.0, 3.0, 12 * 7).reshape(7, 3, 2, 2)
    drive[0] = BY_CHANNEL / 2  # reaches the threshold exactly at the first timestep
    sent = [one.output for one in run(neurons_alone(reader), drive, timesteps)]

    expected = theory.quantized_activation(drive, BY_CHANNEL, timesteps)
    torch.testing.assert_close(torch.stack(sent).mean(0), expected)
    assert bool((sent[0][0] > 0).all())


def test_adopted_neurons_send_spikes_of_one() -> None:
    """Their threshold and their gain are folded into what they read, and not into what reads them."""
    theta, gain, zero = torch.tensor([0.5, 2.0]), torch.tensor(4.0), torch.zeros(())
    neuron = LeakyNeuron(theta, zero, torch.ones(()), gain, zero)
    first = Layer("fire", neuron, Sum({"input": 1.0}), (2,), (2,))
    graph, refusals = folded(Layers((2,), (first,), Sum({"fire": 1.0}), (2,)), FORMS["primitives"])
    sent = [one.output.tolist() for one in run(graph, torch.tensor([[0.0625, 0.5]]), 4)]

    assert refusals == []
    assert sent == [[[0.0, 1.0]], [[1.0, 1.0]], [[0.0, 1.0]], [[1.0, 1.0]]]  # 4 * input / theta is 1/2, and 1


@pytest.mark.parametrize("reader", READER_NAMES)
@pytest.mark.parametrize("name", portable.NETWORKS)
def test_every_spike_stays_where_it_was(name: str, reader: Reader) -> None:
    artifact = portable.artifact(name)
    if (name, reader) == ("residual", "spyx"):
        assert {one.node for one in NirExporter("spyx").refusals(artifact)} == {"relu_2", "relu_3"}
        return
    graph = graph_of(name, reader)
    found = compared_runs(artifact, lambda x, timesteps: run(graph, x, timesteps), portable.images_of(name), "ours")

    assert found.spikes is not None and found.spikes > 100
    assert (found.spikes_differ, found.answers_differ, found.exits_differ) == (0, 0, 0)
    assert found.largest_error < 1e-6


def test_a_diagonal_convolution_carries_a_skip() -> None:
    """Spikes of one layer of neurons, in thresholds of another one."""
    neurons = {one.name: one.neuron for one in portable.artifact("residual").model().layers}
    between = graph_of("residual").nodes["relu_to_relu_2"]
    assert isinstance(between, Convolution)

    quotient = (neurons["relu"].v_threshold / neurons["relu_2"].v_threshold).flatten()
    torch.testing.assert_close(between.weight[:, :, 0, 0], torch.diag(quotient))


def test_kernels_are_square_and_have_no_groups() -> None:
    """The package nir reads back nothing else."""
    convolutions = [node for node in graph_of("chain").nodes.values() if isinstance(node, Convolution)]
    assert {(node.groups, *node.weight.shape[2:]) for node in convolutions} == {(1, 3, 3)}


def test_readers_get_the_pooling_that_they_know() -> None:
    def pools(reader: Reader) -> set[bool]:
        return {node.mean for node in graph_of("chain", reader).nodes.values() if isinstance(node, Pool)}

    assert (pools("spikingjelly"), pools("sinabs")) == ({True}, {False})


def test_padded_pooling_is_a_convolution_where_sums_have_no_padding() -> None:
    pool, before, after = nn.AvgPool2d(3, stride=2, padding=1), (2, 7, 7), (2, 4, 4)
    written, factor = pooling(pool, before, after, FORMS["sinabs"])
    graph = NirGraph(before, after, {"pool": written}, (("input", "pool"), ("pool", "output")))
    image = torch.randn(3, *before, generator=torch.Generator().manual_seed(0))

    assert isinstance(written, Convolution) and factor == 1
    torch.testing.assert_close(next(run(graph, image, 1)).output, pool(image))


def test_a_sum_with_itself_is_one_edge() -> None:
    """NIR refuses two edges between the same nodes."""
    neuron, shape = BinaryNeuron(torch.ones(()), torch.full((), 0.5)), (2,)
    doubled = Layer("fire", neuron, Sum({"input": 2.0}), shape, shape)
    graph, _ = folded(Layers(shape, (doubled,), Sum({"fire": 1.0}), shape), FORMS["spikingjelly"])
    assert graph.edges == (("input", "input_to_fire"), ("input_to_fire", "fire"), ("fire", "output"))
    sent = next(run(graph, torch.tensor([[0.25, 0.24]]), 1)).output
    assert sent.tolist() == [[1.0, 0.0]]


def test_a_cycle_that_is_no_reset_is_refused() -> None:
    graph = NirGraph((1,), (1,), dict(graph_of("flat").nodes), (("hidden", "head"), ("head", "hidden")))
    with pytest.raises(ExportError, match="is a cycle that is no reset of neurons"):
        next(run(graph, torch.zeros(1, 5), 1))


def test_another_network_is_told_by_its_first_layer() -> None:
    artifact, graph = portable.artifact("chain"), graph_of("chain")
    node = graph.nodes["grouped"]
    assert isinstance(node, Convolution)
    node.bias.add_(0.3)
    with pytest.raises(ExportError, match=r"relu_1: \d+ spikes of the export differ at timestep 1"):
        compared_runs(artifact, lambda x, timesteps: run(graph, x, timesteps), portable.images_of("chain"), "changed")


def test_a_wrong_head_is_told_by_the_logits() -> None:
    artifact, graph = portable.artifact("chain"), graph_of("chain")
    head = graph.nodes["head"]
    head.bias.add_(0.01)  # type: ignore[union-attr]
    with pytest.raises(ExportError, match="the logits of the export differ by .* at timestep 1, and no spike does"):
        compared_runs(artifact, lambda x, timesteps: run(graph, x, timesteps), portable.images_of("chain"), "changed")


class Unportable(nn.Module):
    """Max pooling, and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third = nn.Conv2d(4, 4, 3, padding=1)
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        x = (x + self.second(x)).relu()
        return self.head(self.pool(self.third(x).relu()).flatten(1))


def test_every_node_is_refused_with_what_helps() -> None:
    """Graded skips, neurons of other types, biases by timestep and max pooling, all at once; then as the advice says."""
    images = portable.images_of("chain", 60)
    given = {"neuron": "signed", "skips": "graded", "front": "none", "correction": "timestep"}
    first = portable.converted(Unportable().eval(), images, **given)
    found = {one.node: one.remedy for one in NirExporter().refusals(first)}
    assert found == {
        "relu": "convert with --neuron if",
        "relu_skip": "convert with --front none --skips spiking --depthwise spiking",
        "relu_bias": "convert with --correction bias, potential or none",
        "relu_1": "convert with --neuron if",
        "relu_1_bias": "convert with --correction bias, potential or none",
        "relu_2": "convert with --neuron if",
        "relu_2_bias": "convert with --correction bias, potential or none",
        "pool": "train the network with average pooling",
    }
    advised = Unportable()
    advised.pool = nn.AvgPool2d(2)  # type: ignore[assignment]
    assert NirExporter().refusals(portable.converted(advised.eval(), images, correction="potential")) == []


class Broadcast(nn.Module):
    """Adds the mean of a map to the map."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        return self.head(self.second(x + x.mean((2, 3), keepdim=True)).relu().mean((2, 3)))


def test_a_sum_that_broadcasts_is_refused() -> None:
    """Edges that meet at a node of NIR are added number by number."""
    artifact = portable.converted(Broadcast().eval(), portable.images_of("chain", 60))
    (refusal,) = NirExporter().refusals(artifact)
    assert (refusal.node, refusal.reason) == ("add", "it adds values of different shapes")


def test_an_analog_front_is_refused() -> None:
    front = portable.converted(portable.network("chain"), portable.images_of("chain", 60), front=1)
    (refusal,) = NirExporter().refusals(front)
    assert (refusal.node, refusal.remedy) == ("relu", "convert with --front none --skips spiking --depthwise spiking")
