"""Read an ONNX file into a PyTorch network of ordinary modules, one for each ONNX node that computes something."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, inliner, numpy_helper
from torch import Tensor, nn

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.onnx.assembly import STANDARD_DOMAINS, Assembly, ImageInput, Step
from seenn_convert.frontend.onnx.operators.base import Activation, Array, Value
from seenn_convert.frontend.outputs import choose

_OLDEST_OPSET = 7  # older ones broadcast by other rules


class OnnxNetwork(nn.Module):
    """The network of an ONNX file, in eval mode and without gradients; submodules are named after the ONNX nodes.

    Attributes:
        input_name: Name of the image in the file.
        input_shape: Shape of one image, without the batch.
        input_dtype: Type of the image.
        output_names: Names of the outputs in the file.
        steps: The calls in order; values have the names of the file.
    """

    def __init__(self, image: ImageInput, output_names: Sequence[str], steps: Sequence[Step]) -> None:
        super().__init__()
        self.input_name = image.name
        self.input_shape = image.shape
        self.input_dtype = image.dtype
        self.output_names = tuple(output_names)
        self.steps = _with_releases(steps, keep={image.name, *output_names})

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map images ``(B, *input_shape)`` to the output, or to a tuple where the file has several."""
        values = {self.input_name: image}
        for _ in self.run_steps(values):
            pass
        outputs = tuple(values[name] for name in self.output_names)
        return outputs[0] if len(outputs) == 1 else outputs

    def run_steps(self, values: dict[str, Tensor]) -> Iterator[Step]:
        """Yield each step once its results are in ``values``, which begin with the image; then release what it may."""
        for step in self.steps:
            result = getattr(self, step.module)(*(values[name] for name in step.inputs))
            values.update(zip(step.outputs, result if isinstance(result, tuple) else (result,), strict=False))
            yield step
            for name in step.released:
                del values[name]


def read_onnx(path: Path, output_name: str | None = None) -> OnnxNetwork:
    """Read a classifier from an ONNX file.

    Args:
        path: The ``.onnx`` file; external data is looked for beside it.
        output_name: The one output to read, with what it depends on; None for all of them.

    Returns:
        The network, for any batch size, also where the file fixes one.

    Raises:
        InputError: If the file cannot be read or does not map one image to outputs.
        UnsupportedOperatorError: If it holds operators or options that have no counterpart; lists all of them.
    """
    model = _load(path)
    if output_name is not None:
        _keep_output(model.graph, output_name)
    opset = _opset_of(model, path)
    image = _image_of(model.graph, path)
    reserved = set(dir(OnnxNetwork(image, (), ())))
    constants, nodes = _constants_of(model.graph, path), _live_nodes(model.graph)
    _check_order(nodes, {"", image.name, *constants}, path)
    assembly = Assembly(model, image, opset, constants, reserved)
    for proto in nodes:
        assembly.add(proto)
    if assembly.problems:
        raise UnsupportedOperatorError(assembly.problems)
    output_names = [value.name for value in model.graph.output]
    _check_outputs({name: assembly.values.get(name) for name in output_names}, path)
    network = OnnxNetwork(image, output_names, assembly.steps)
    for name, module in assembly.modules.items():
        network.add_module(name, module)
    return network.requires_grad_(False).eval()


def _load(path: Path) -> ModelProto:
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an .onnx file")
    try:
        model = onnx.load(path)
        if model.functions:
            model = inliner.inline_local_functions(model)
    except (DecodeError, OSError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"{path}: not readable as an ONNX model ({reason}); it may be truncated, of another kind, or apart from "
            "its external data: export or copy it again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise InputError(f"{path}: holds no ONNX graph; export the model again")
    return model


def _keep_output(graph: GraphProto, name: str) -> None:
    names = [value.name for value in graph.output]
    kept = graph.output[choose(names, [True] * len(names), name)]
    del graph.output[:]
    graph.output.append(kept)


def _opset_of(model: ModelProto, path: Path) -> int:
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if not versions or not _OLDEST_OPSET <= versions[0] <= newest:
        found = f"opset {versions[0]}" if versions else "no opset"
        raise InputError(
            f"{path}: has {found}, supported are {_OLDEST_OPSET} to {newest}; convert it with onnx.version_converter "
            "or export it again"
        )
    return int(versions[0])


def _image_of(graph: GraphProto, path: Path) -> ImageInput:
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialized]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{path}: must have one input, the image, but has {len(inputs)} ({names}); export it again")
    name, dims = inputs[0].name, inputs[0].type.tensor_type.shape.dim
    code = inputs[0].type.tensor_type.elem_type
    dtype = {1: torch.float32, 10: torch.float16, 11: torch.float64}.get(code)
    if dtype is None:
        kind = onnx.TensorProto.DataType.Name(code) if code else "unknown"
        raise InputError(f"{path}: input '{name}' has type {kind}, not a float; export the model with a float image")
    sizes = [dim.dim_value for dim in dims]
    if len(sizes) < 2 or any(size < 1 for size in sizes[1:]):
        shown = ", ".join(dim.dim_param or str(dim.dim_value or "?") for dim in dims)
        raise InputError(
            f"{path}: input '{name}' has shape ({shown}); export the model with fixed sizes after the batch dimension"
        )
    return ImageInput(name, tuple(sizes[1:]), dtype, sizes[0] if sizes[0] > 0 else None)


def _live_nodes(graph: GraphProto) -> list[NodeProto]:
    """Return the nodes that an output depends on, in order."""
    needed, live = {value.name for value in graph.output}, []
    for proto in reversed(graph.node):
        if needed.intersection(proto.output):
            live.append(proto)
            needed.update(proto.input)
    return live[::-1]


def _with_releases(steps: Sequence[Step], keep: set[str]) -> tuple[Step, ...]:
    """Let every value go after its last use, so that a forward pass holds no more than it must."""
    needed, released = set(keep), []
    for step in reversed(steps):
        last = dict.fromkeys(name for name in (*step.outputs, *step.inputs) if name not in needed)
        needed.update(last)
        released.append(Step(step.module, step.inputs, step.outputs, tuple(last)))
    return tuple(released[::-1])


def _check_order(nodes: Sequence[NodeProto], known: set[str], path: Path) -> None:
    for proto in nodes:
        absent = [name for name in proto.input if name not in known]
        if absent:
            label = proto.name or proto.op_type
            raise InputError(f"{path}: nothing before node '{label}' gives its input '{absent[0]}'; export it again")
        known.update(proto.output)


def _check_outputs(outputs: Mapping[str, Value | None], path: Path) -> None:
    for name, value in outputs.items():
        if not isinstance(value, Activation):
            raise InputError(f"{path}: output '{name}' does not depend on the image; remove it from the model")
        if not value.leads_with_batch:
            raise InputError(
                f"{path}: output '{name}' has shape {value.shape_at(1)} for one image, its first dimension is not the "
                "batch; export the model so that every output has one row per image"
            )


def _constants_of(graph: GraphProto, path: Path) -> dict[str, Array]:
    if graph.sparse_initializer:
        raise InputError(f"{path}: holds sparse weights; store them dense")
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = numpy_helper.to_array(tensor)
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: weight '{tensor.name}' is not readable ({error}); export it again") from error
    return constants
