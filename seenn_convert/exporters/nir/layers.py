"""Read a spiking network as layers whose inputs are sums, and list every node that NIR has no words for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exporters.exporter import Refusal
from seenn_convert.exporters.nir.graph import INPUT
from seenn_convert.exporters.nir.words import InexpressibleError, refused
from seenn_convert.ir import operators
from seenn_convert.ir.interpreter import Interpreter
from seenn_convert.ir.operators.step import ExitProbe, Tick, TimestepBias
from seenn_convert.neurons.layers import BinaryNeuron
from seenn_convert.neurons.leaky import LeakyNeuron

Shape = tuple[int, ...]
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear, operators.Affine)
POOLS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d, operators.Mean)


@dataclass(frozen=True)
class Sum:
    """What a layer reads: layers by name, each with its coefficient, and a bias that broadcasts to a row."""

    terms: Mapping[str, float]
    bias: Tensor | None = None


@dataclass(frozen=True)
class Layer:
    """One call of a module, its input, and the shapes of a row before and behind it."""

    name: str
    module: nn.Module
    read: Sum
    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True)
class Layers:
    """A network: its layers in order, and what its logits at one timestep are."""

    input_shape: Shape
    layers: tuple[Layer, ...]
    output: Sum
    output_shape: Shape


def layers_of(artifact: Artifact) -> tuple[Layers, list[Refusal]]:
    """Return the network as layers, and every node that NIR has no words for."""
    model, reader = artifact.model("float32"), _Reading()
    image = torch.zeros(2, *artifact.snn.input_shape)
    with torch.no_grad():
        drives = model.drive(image)
    values = reader.read(model.stem, (image,), [Sum({INPUT: 1.0})])
    state = tuple(model.initial_state(2).values())
    given = [*values, *(None for _ in state)]
    reader.read(model.step_graph, (*drives, *state), given)
    found = Layers(tuple(artifact.snn.input_shape), tuple(reader.layers), reader.output, reader.output_shape)
    return found, reader.refusals


class _Reading:
    """Walks the graphs of stem and step; a node that cannot be said sends nothing, so that the walk goes on."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.refusals: list[Refusal] = []
        self.output, self.output_shape = Sum({}), Shape()

    def read(self, graph: fx.GraphModule, inputs: tuple[Tensor, ...], given: list[Sum | None]) -> list[Sum | None]:
        """Walk a graph, and return what its results are; state and clock are None."""
        shapes, values, inputs_left = _shapes(graph, inputs), dict[fx.Node, Sum | None](), list(given)
        for node in graph.graph.nodes:
            if node.op == "placeholder":
                values[node] = inputs_left.pop(0)
            elif node.op == "call_function":
                values[node] = values[node.args[0]] if node.args[1] == 0 else None
            elif node.op == "call_module":
                module = graph.get_submodule(str(node.target))
                sums = [one for source in node.all_input_nodes if (one := values[source]) is not None]
                read = [shapes.get(source.name, ()) for source in node.all_input_nodes]
                values[node] = self._called(node.name, module, sums, read, shapes.get(node.name, ()))
            else:
                listed = node.args[0]
                return [values[one] for one in ([listed] if isinstance(listed, fx.Node) else listed)]
        return []

    def _called(self, name: str, module: nn.Module, read: list[Sum], before: list[Shape], after: Shape) -> Sum | None:
        if isinstance(module, ExitProbe):
            self.output, self.output_shape = read[0], before[0]
            return None
        if isinstance(module, Tick):
            return None
        try:
            joined = _JOINS.get(type(module))
            if joined is not None:
                _check_sum(module, before)
                return joined(module, read)
            check_expressible(module, before[0], after)
        except InexpressibleError as error:
            self.refusals.append(Refusal(name, error.reason, error.remedy))
            return Sum({})
        self.layers.append(Layer(name, module, read[0], before[0], after))
        return Sum({name: 1.0})


def check_expressible(module: nn.Module, before: Shape, after: Shape) -> None:
    """Raise InexpressibleError unless a module is a layer that NIR has words for."""
    if isinstance(module, LeakyNeuron):
        keeps = bool((module.leak == 1).all()) and module.reset == "subtract"
        if not keeps or module.strict or module.delayed or module.owing:
            raise InexpressibleError("its neurons leak, or reset otherwise than by subtraction", "train it with others")
    elif isinstance(module, (nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
        _check_pool(module, before, after)
    elif isinstance(module, operators.Mean):
        axes = {dim % (len(before) + 1) for dim in module.dims}
        if len(before) != 3 or axes != {2, 3}:
            raise InexpressibleError("it is a mean that is no pooling of maps", "pool over height and width")
    elif isinstance(module, operators.Reshape):
        if len(after) != 1:
            raise InexpressibleError(
                "NIR flattens and has no other change of shape", "leave the change of shape out of the network"
            )
    elif isinstance(module, nn.Linear):
        if len(before) != 1:
            raise InexpressibleError(
                "several positions share the linear layer", "write it as a convolution with kernel 1 x 1"
            )
    elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
        if isinstance(module.padding, str):
            raise InexpressibleError("its padding is a word", "give its padding as numbers")
    elif not isinstance(module, (BinaryNeuron, operators.Affine)):
        raise refused(module)


def _check_sum(module: nn.Module, before: list[Shape]) -> None:
    if isinstance(module, (operators.Add, operators.Subtract)) and len(set(before)) > 1:
        raise InexpressibleError("it adds values of different shapes", "add values of one shape")


def _check_pool(module: nn.AvgPool2d | nn.AdaptiveAvgPool2d, before: Shape, after: Shape) -> None:
    if isinstance(module, nn.AvgPool2d):
        padded = any(pair(module.padding))
        if module.ceil_mode or (padded and not module.count_include_pad):
            raise InexpressibleError(
                "its windows at the edge are smaller than others",
                "pool without ceil_mode, and with count_include_pad=True where there is padding",
            )
    elif any(size % out for size, out in zip(before[1:], after[1:], strict=True)):
        raise InexpressibleError("its windows differ in size", "pool to a size that divides that of the map")


def pair(value: object) -> tuple[int, int]:
    """Return an option of a pooling for both axes."""
    one, other = value if isinstance(value, (tuple, list)) else (value, value)
    return int(one), int(other)


def _same(_: nn.Module, read: list[Sum]) -> Sum:
    return read[0]


def _add(_: nn.Module, read: list[Sum]) -> Sum:
    return _joined(read, 1.0)


def _subtract(_: nn.Module, read: list[Sum]) -> Sum:
    return _joined(read, -1.0)


def _joined(read: list[Sum], sign: float) -> Sum:
    """Return the sum of two sums, or of one with itself."""
    first, second = read[0], read[-1]
    terms = dict(first.terms)
    for name, coefficient in second.terms.items():
        terms[name] = terms.get(name, 0.0) + sign * coefficient
    biases = [one for one in (first.bias, None if second.bias is None else sign * second.bias) if one is not None]
    bias = None if not biases else biases[0] if len(biases) == 1 else biases[0] + biases[1]
    return Sum({name: coefficient for name, coefficient in terms.items() if coefficient != 0}, bias)


def _corrected(module: nn.Module, read: list[Sum]) -> Sum:
    assert isinstance(module, TimestepBias)
    if len(module.bias) > 1:
        raise InexpressibleError(
            "its current is corrected by another bias at each timestep",
            "convert with --correction bias, potential or none",
        )
    bias = module.bias[0] if read[0].bias is None else read[0].bias + module.bias[0]
    return Sum(read[0].terms, bias)


_JOINS: Mapping[type[nn.Module], Callable[[nn.Module, list[Sum]], Sum]] = {
    operators.Add: _add,
    operators.Subtract: _subtract,
    TimestepBias: _corrected,
    nn.Identity: _same,
    nn.Dropout: _same,
}
"""Class -> what a call of it sends, as a sum of layers."""


def _shapes(graph: fx.GraphModule, inputs: tuple[Tensor, ...]) -> dict[str, Shape]:
    """Return node name -> shape of a row of its first result."""
    found: dict[str, Shape] = {}

    def keep(node: fx.Node, result: object) -> None:
        first = result[0] if isinstance(result, tuple) else result
        if isinstance(first, Tensor):
            found[node.name] = tuple(first.shape[1:])

    with torch.no_grad():
        Interpreter(graph, after=keep).run(*inputs)
    return found
