"""Programs as ONNX graphs: a function for each module of the closed list, and what is refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from seenn_convert.errors import reason_of
from seenn_convert.exporters.exporter import Refusal
from seenn_convert.exporters.onnx import layers, neurons, shapes, step
from seenn_convert.exporters.onnx.aten.call import Call
from seenn_convert.exporters.onnx.aten.elementwise import ELEMENTWISE
from seenn_convert.exporters.onnx.aten.general import GENERAL
from seenn_convert.exporters.onnx.graph import Graph, Names, Translation, UntranslatableError, Value
from seenn_convert.ir import operators
from seenn_convert.ir.interpreter import Interpreter
from seenn_convert.ir.operators import step as steps
from seenn_convert.neurons import layers as kinds
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.neurons.traced import TracedNeuron

TRANSLATIONS: Mapping[type[nn.Module], Translation] = {
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), layers.convolution),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d), layers.transposed_convolution),
    **dict.fromkeys((nn.Linear, operators.PaddedLinear), layers.linear),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), layers.batch_norm),
    nn.LayerNorm: layers.layer_norm,
    nn.GroupNorm: layers.group_norm,
    nn.ReLU: layers.relu,
    nn.LeakyReLU: layers.leaky_relu,
    nn.PReLU: layers.prelu,
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d), layers.max_pool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d), layers.average_pool),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), layers.adaptive_average_pool),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d), layers.adaptive_max_pool),
    **dict.fromkeys((nn.Dropout, nn.Identity, operators.Encode), layers.identity),
    operators.Add: shapes.add,
    operators.Subtract: shapes.subtract,
    operators.Concatenate: shapes.concatenate,
    operators.Mean: shapes.mean,
    operators.MeanOverFrames: shapes.mean_over_frames,
    operators.Reshape: shapes.reshape,
    operators.Expand: shapes.expand,
    operators.Permute: shapes.permute,
    operators.Slice: shapes.slice_,
    operators.Pad: shapes.pad,
    operators.PaddedMaxPool: shapes.padded_max_pool,
    operators.Affine: shapes.affine,
    operators.ClippedReLU: shapes.clipped_relu,
    operators.QuantisedReLU: shapes.quantised_relu,
    operators.GradedReLU: shapes.graded_relu,
    **dict.fromkeys((operators.Analog, operators.Graded), shapes.kept_activation),
    **dict.fromkeys((operators.ConstantRow, operators.FirstState), shapes.constant_row),
    **dict.fromkeys((operators.HeldState, operators.KeepState), layers.identity),
    operators.FirstSpikes: shapes.first_spikes,
    operators.EachStep: shapes.each_step,
    operators.Latest: step.latest,
    operators.Cast: shapes.cast,
    operators.PerPart: shapes.per_part,
    operators.RowConvolution: shapes.row_convolution,
    kinds.BinaryNeuron: neurons.binary,
    **dict.fromkeys((kinds.SignedNeuron, kinds.GroupNeuron), neurons.signed),
    kinds.TrackingNeuron: neurons.tracking,
    kinds.MultiLevelNeuron: neurons.multilevel,
    kinds.UnsignedMultiLevelNeuron: neurons.unsigned_multilevel,
    **dict.fromkeys((kinds.EncodingNeuron, kinds.GroupEncoder, kinds.TrackingEncoder), neurons.encoding),
    kinds.MultiLevelEncoder: neurons.multilevel_encoding,
    LeakyNeuron: neurons.leaky,
    TracedNeuron: neurons.traced,
    steps.TimestepBias: step.timestep_bias,
    steps.FrameAt: step.frame_at,
    steps.Tick: step.tick,
    steps.TemporalDifference: step.temporal_difference,
    steps.RectifiedDifference: step.rectified_difference,
    steps.ClippedDifference: step.clipped_difference,
    steps.MeanDifference: step.mean_difference,
    steps.ExitProbe: step.exit_probe,
}
"""Class -> what writes it; ``AtenOperator`` and ``Elementwise`` are written operator by operator."""


@dataclass(frozen=True)
class Translator:
    """Writes the modules of programs.

    Attributes:
        own: What writes a user's own modules, by class.
    """

    own: Mapping[type[nn.Module], Translation] = field(default_factory=dict)

    def __call__(self, graph: Graph, module: nn.Module, *inputs: Value) -> Names:
        """Add the nodes of a module and return the names of its results.

        Raises:
            UntranslatableError: ONNX cannot say it.
        """
        if isinstance(module, operators.AtenOperator):
            return self._aten(graph, module, inputs)
        if isinstance(module, operators.Elementwise):
            return self._elementwise(graph, module, inputs)
        write = {**TRANSLATIONS, **self.own}.get(type(module))
        if write is None:
            raise UntranslatableError(
                f"{type(module).__name__} is a module of your own, which files hold no code of",
                "hand over what writes it: OnnxExporter(own={...})",
            )
        return write(graph, module, *inputs)

    def _aten(self, graph: Graph, module: operators.AtenOperator, inputs: tuple[Value, ...]) -> Names:
        write = ELEMENTWISE.get(module.name) or GENERAL.get(module.name)
        if write is None:
            what = f"the PyTorch operator {module.operator}"
            raise UntranslatableError(f"{what} has no translation to ONNX", "export with --to pt2")
        try:
            return write(Call.of(graph, module, inputs))
        except UntranslatableError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
            raise UntranslatableError(
                f"the PyTorch operator {module.operator} is called in a way that has no translation to ONNX "
                f"({reason_of(error)})",
                "export with --to pt2",
            ) from error

    def _elementwise(self, graph: Graph, module: operators.Elementwise, inputs: tuple[Value, ...]) -> Names:
        values = list(inputs)
        for part, sources in zip(module.steps, module.wiring, strict=True):
            values.append(graph.inner(part, *(values[source] for source in sources)))
        if module.results is None:
            return values[-1].name
        return tuple(values[number].name for number in module.results)


def value_specs(graph_module: fx.GraphModule, inputs: tuple[Tensor, ...]) -> dict[str, tuple[Value, ...]]:
    """Return node name -> what each of its results is, by running the graph once."""
    found: dict[str, tuple[Value, ...]] = {}

    def keep(node: fx.Node, result: object) -> None:
        parts = result if isinstance(result, tuple) else (result,)
        found[node.name] = tuple(
            Value(node.name, tuple(part.shape[1:]), part.dtype) for part in parts if isinstance(part, Tensor)
        )

    with torch.no_grad():
        Interpreter(graph_module, after=keep).run(*inputs)
    return found


def translated(
    graph: Graph,
    translate: Translation,
    graph_module: fx.GraphModule,
    specs: Mapping[str, tuple[Value, ...]],
    given: Mapping[str, Value],
) -> tuple[list[Value], list[Refusal]]:
    """Write all nodes of a program's graph; return its results, and every node that cannot be written.

    Args:
        graph: To write to.
        translate: Writes the modules.
        graph_module: The graph of the program.
        specs: What its values are.
        given: The values of its inputs, by name.
    """
    values: dict[fx.Node, tuple[Value, ...]] = {}
    refusals: list[Refusal] = []
    outputs: list[Value] = []
    for node in graph_module.graph.nodes:
        if node.op == "placeholder":
            values[node] = (given[node.name],)
        elif node.op == "call_module":
            graph.begin(node.name)
            module = graph_module.get_submodule(str(node.target))
            try:
                names = translate(graph, module, *(values[argument][0] for argument in node.args))
            except UntranslatableError as error:
                refusals.append(Refusal(node.name, error.reason, error.remedy))
                names = tuple(f"{node.name}.{index}" for index in range(len(specs[node.name])))
            names = (names,) if isinstance(names, str) else names
            values[node] = tuple(
                Value(name, spec.shape, spec.dtype) for name, spec in zip(names, specs[node.name], strict=True)
            )
        elif node.op == "call_function":
            values[node] = (values[node.args[0]][node.args[1]],)
        else:
            listed = node.args[0]
            outputs = [values[one][0] for one in ([listed] if isinstance(listed, fx.Node) else listed)]
    return outputs, refusals
