"""Fold every firing threshold into the weights, so that each is 1, and write layers in the form of a reader.

A value x of the network is ``scale * y`` of the value y in the file. Behind neurons of threshold theta the scale is
theta, and their input has it, too: so ``y = W_c x / theta_c``, and the next layer's weights of channel c are multiplied
by theta_c. Pooling and flattening pass scales on. Where values of different scale meet in a sum, a convolution
with a diagonal weight carries the quotient.
"""

import keyword
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from seenn_convert.exporters.exporter import Refusal
from seenn_convert.exporters.nir.forms import Form
from seenn_convert.exporters.nir.graph import INPUT, OUTPUT, Edge, Flatten, NirGraph, Node
from seenn_convert.exporters.nir.layers import POOLS, WEIGHTED, Layer, Layers, Shape, Sum
from seenn_convert.exporters.nir.shaping import by_channel, diagonal, formed, neurons, pooling, weighted
from seenn_convert.exporters.nir.words import InexpressibleError
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.leaky import LeakyNeuron

ONE = torch.ones((), dtype=torch.float64)


def folded(network: Layers, form: Form) -> tuple[NirGraph, list[Refusal]]:
    """Return a network in the form of a reader, and every layer that cannot be written in it."""
    folding, refusals = _Folding(network, form), []
    for layer in network.layers:
        try:
            folding.write(layer)
        except InexpressibleError as error:
            refusals.append(Refusal(layer.name, error.reason, error.remedy))
            folding.keep(layer.name, layer.output_shape, ONE)
    shape = folding.in_file(network.output_shape)
    try:
        folding.connect(OUTPUT, OUTPUT, network.output, ONE, shape)
    except InexpressibleError as error:
        refusals.append(Refusal(OUTPUT, error.reason, error.remedy))
    return NirGraph(network.input_shape, shape, folding.nodes, tuple(folding.edges), form.dt), refusals


@dataclass
class _Folding:
    """A graph that is being written.

    Attributes:
        network: What is written.
        form: Of the reader.
        nodes: Of the file.
        edges: Of the file.
        scales: Layer -> scale of what it sends, with an entry per channel.
        shapes: Layer -> shape of a row that it sends in the file.
        sent: Layer -> the node that sends its values.
    """

    network: Layers
    form: Form
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    scales: dict[str, Tensor] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the image."""
        self.scales[INPUT], self.shapes[INPUT], self.sent[INPUT] = ONE, self.network.input_shape, INPUT
        self.readers = _readers(self.network)

    def write(self, layer: Layer) -> None:
        """Add the nodes of a layer and the edges of its input."""
        if not layer.read.terms:  # what it reads was refused
            self.keep(layer.name, layer.output_shape, ONE)
        elif isinstance(layer.module, Neuron):
            self._write_neurons(layer, layer.module)
        elif isinstance(layer.module, WEIGHTED):
            self._write_weighted(layer)
        elif isinstance(layer.module, POOLS):
            self._write_pool(layer)
        else:
            self._write_flat(layer.name, layer.read, layer.output_shape)

    def keep(self, layer: str, shape: Shape, scale: Tensor, node: str = "") -> None:
        """Remember what a layer sends."""
        self.sent[layer], self.scales[layer] = node or file_name(layer), scale
        self.shapes[layer] = self.shapes.get(layer, self.in_file(shape))

    def in_file(self, shape: Shape) -> Shape:
        """Return the shape of a row in the file: a map of one position where the reader flattens nothing."""
        as_map = not self.form.flatten and len(self.network.input_shape) == 3 and len(shape) == 1
        return (*shape, 1, 1) if as_map else shape

    def connect(self, layer: str, node: str, read: Sum, scale: Tensor, shape: Shape) -> None:
        """Add edges to a node of a layer for what it reads, which has to arrive in units of ``scale``."""
        if len(read.terms) > 1 and not self.form.joins:
            raise InexpressibleError("this reader sums nothing", "export for another reader (--reader sinabs)")
        left = None if read.bias is None or self._carrier(read) is not None else read.bias
        for source, coefficient in read.terms.items():
            factor = coefficient * self.scales[source] / scale
            if left is None and torch.allclose(factor, ONE, rtol=1e-12, atol=0):
                self.edges.append((self.sent[source], node))
                continue
            between = f"{self.sent[source]}_to_{file_name(layer)}"
            bias = None if left is None else self._by_channel(left.double(), shape) / scale
            self._put({between: diagonal(factor, bias, shape)})
            self.edges += [(self.sent[source], between), (between, node)]
            left = None
        if left is not None:
            raise InexpressibleError("it reads a constant alone", "leave it out of the network")

    def _write_neurons(self, layer: Layer, neuron: Neuron) -> None:
        shape = self.in_file(layer.output_shape)
        threshold = neuron.v_threshold.double()
        start = (neuron.v_initial.double() / threshold).expand(layer.output_shape).reshape(shape)
        entry, nodes, edges = neurons(file_name(layer.name), start.float().contiguous(), self.form)
        self.connect(layer.name, entry, layer.read, self._taken(layer, neuron), shape)
        self._put(nodes)
        self.edges += edges
        self.keep(layer.name, layer.output_shape, self._by_channel(neuron.spike, layer.output_shape))

    def _write_weighted(self, layer: Layer) -> None:
        scale = self._common_scale(layer.read)
        before, after = self._read_shape(layer), self.in_file(layer.output_shape)
        wanted, bias = self._wanted(layer.name, layer.output_shape), self._carried(layer)
        node = weighted(layer.module, before, after, by_channel(scale, before), by_channel(wanted, after), bias)
        self.connect(layer.name, file_name(layer.name), layer.read, scale, before)
        self._put({file_name(layer.name): formed(node, self.form)})
        self.keep(layer.name, layer.output_shape, by_channel(wanted, after))

    def _write_pool(self, layer: Layer) -> None:
        scale, name = self._common_scale(layer.read), file_name(layer.name)
        node, factor = pooling(layer.module, layer.input_shape, layer.output_shape, self.form)
        flattens = len(layer.output_shape) == 1
        pooled = f"{name}_pool" if flattens else name
        self.connect(layer.name, pooled, layer.read, scale, layer.input_shape)
        self._put({pooled: node})
        scale = scale * factor
        if not flattens:
            self.keep(layer.name, layer.output_shape, scale)
            return
        self.keep(pooled, (layer.output_shape[0], 1, 1), scale, pooled)
        self._write_flat(layer.name, Sum({pooled: 1.0}), layer.output_shape)

    def _write_flat(self, layer: str, read: Sum, shape: Shape) -> None:
        """Add a flattening; where the reader flattens nothing, or there is one axis, the values stay as they are."""
        scale, source = self._common_scale(read), next(iter(read.terms))
        before = self.shapes[source]
        flat = scale.expand(before).reshape(shape) if scale.dim() else scale
        if len(read.terms) == 1 and read.bias is None and (not self.form.flatten or len(before) == 1):
            self.shapes[layer] = before
            self.keep(layer, shape, scale, self.sent[source])
            return
        node = file_name(layer)
        self.connect(layer, node, read, scale, before)
        self._put({node: Flatten(before)})
        self.keep(layer, shape, flat)

    def _put(self, nodes: dict[str, Node]) -> None:
        """Add nodes."""
        twice = next((name for name in nodes if name in self.nodes), None)
        if twice is not None:
            raise InexpressibleError(f"two nodes would be called {twice}", "call its module otherwise in the model")
        self.nodes |= nodes

    def _common_scale(self, read: Sum) -> Tensor:
        """Return the scale in which a layer reads what comes from several: that of a single one, else 1."""
        first, coefficient = next(iter(read.terms.items()), (INPUT, 1.0))
        return self.scales[first] if len(read.terms) == 1 and coefficient == 1 and read.bias is None else ONE

    def _read_shape(self, layer: Layer) -> Shape:
        return self.shapes[next(iter(layer.read.terms), INPUT)]

    def _by_channel(self, value: Tensor, shape: Shape) -> Tensor:
        """Return a constant of the network as it is in the file."""
        found = by_channel(value, shape)
        return found.reshape(-1, *(1 for _ in self.in_file(shape)[1:]))

    def _taken(self, layer: Layer, neuron: Neuron) -> Tensor:
        """Return the scale in which neurons take their input."""
        gain = neuron.gain if isinstance(neuron, LeakyNeuron) else ONE
        return self._by_channel(neuron.v_threshold.double() / gain, layer.output_shape)

    def _wanted(self, layer: str, shape: Shape) -> Tensor:
        """Return the scale in which all that reads a layer wants its values; 1 where that is not one scale."""
        found = [self._wanted_by(reader, layer) for reader in self.readers.get(layer, ())]
        first = found[0] if found else None
        if first is None or any(one is None or one.shape != first.shape or bool((one != first).any()) for one in found):
            return ONE
        return first

    def _wanted_by(self, reader: Layer | None, layer: str) -> Tensor | None:
        """Return the scale in which neurons want to read a layer, or a pooling in front of them."""
        if reader is None:
            return None
        try:
            if isinstance(reader.module, Neuron):
                return self._taken(reader, reader.module) / reader.read.terms[layer]
            if isinstance(reader.module, POOLS) and len(reader.output_shape) == 3 and len(reader.read.terms) == 1:
                wanted = self._wanted(reader.name, reader.output_shape)
                return wanted / pooling(reader.module, reader.input_shape, reader.output_shape, self.form)[1]
        except InexpressibleError:  # the reader itself is refused
            return None
        return None

    def _carrier(self, read: Sum) -> str | None:
        """Return the layer whose own bias takes the bias of a sum: it has weights, and nothing else reads it."""
        if read.bias is None:
            return None
        named = {layer.name: layer for layer in self.network.layers}
        for source in read.terms:
            if source in named and isinstance(named[source].module, WEIGHTED) and len(self.readers[source]) == 1:
                return source
        return None

    def _carried(self, layer: Layer) -> Tensor:
        """Return the bias that a layer carries for the sum that reads it."""
        readers = self.readers.get(layer.name, [])
        read = None if len(readers) != 1 else self.network.output if readers[0] is None else readers[0].read
        if read is None or read.bias is None or self._carrier(read) != layer.name:
            return torch.zeros((), dtype=torch.float64)
        return self._by_channel(read.bias.double() / read.terms[layer.name], layer.output_shape)


def _readers(network: Layers) -> dict[str, list[Layer | None]]:
    """Return layer -> the layers that read it; None stands for the output."""
    found: dict[str, list[Layer | None]] = {}
    for layer in (*network.layers, None):
        for source in (network.output if layer is None else layer.read).terms:
            found.setdefault(source, []).append(layer)
    return found


def file_name(layer: str) -> str:
    """Return the name of a node that readers can give to a module: no attribute of PyTorch's containers."""
    taken = layer in (INPUT, OUTPUT, "state", "graph") or keyword.iskeyword(layer)
    return f"{layer}_" if taken or any(hasattr(kind, layer) for kind in (nn.ModuleDict, fx.GraphModule)) else layer
