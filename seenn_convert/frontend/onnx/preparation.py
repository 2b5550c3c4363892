"""Make of an ONNX file what can be read: the nodes needed, in order, computing in floating-point numbers."""

from dataclasses import dataclass
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto

from seenn_convert.errors import InputError
from seenn_convert.frontend.onnx.file import array_of, damage_told, load_model, opset_of
from seenn_convert.frontend.onnx.image import input_of, type_name
from seenn_convert.frontend.onnx.operators.base import Array
from seenn_convert.frontend.onnx.order import keep_output, needed_nodes
from seenn_convert.frontend.onnx.precision import to_single
from seenn_convert.frontend.onnx.quantised import to_float
from seenn_convert.frontend.onnx.whole import note_of, take_floats


@dataclass(frozen=True)
class Prepared:
    """A model that can be read.

    Attributes:
        model: Its nodes are those that its outputs need, each behind those that it reads.
        opset: Version of the standard operators.
        constants: The weights that its nodes read.
        notes: Sentences for the user on what was changed.
        pixel_range: The numbers that stand for black and white if they are not 0 and 1.
        is_changed: Whether the model computes something else than the file, so that onnxruntime must run the model.
    """

    model: ModelProto
    opset: int
    constants: dict[str, Array]
    notes: tuple[str, ...] = ()
    pixel_range: tuple[float, float] | None = None
    is_changed: bool = False


def prepare(path: Path, output_name: str | None = None) -> Prepared:
    """Load a file and rewrite what is not read as it stands.

    Args:
        path: The ``.onnx`` file.
        output_name: The output to keep: one that the file lists, or the result of any node; None for all listed.

    Raises:
        InputError: The file cannot be used; says why.
        UnsupportedOperatorError: It computes with quantised numbers in a way that cannot be rewritten.
    """
    with damage_told(path):
        model = load_model(path)
        opset = opset_of(model, path)
        listed = {value.name for value in model.graph.output}
        if output_name is not None:
            keep_output(model.graph, output_name)
        found = input_of(model.graph, path)
        kind = type_name(found.type.tensor_type.elem_type)
        nodes = needed_nodes(model.graph, [found.name, *(one.name for one in _initializers(model.graph))], path)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        single = to_single(model, path)
        pixel_range = take_floats(model, path)
        whole = None if pixel_range is None else note_of(kind, pixel_range)
        is_dequantised, limited = to_float(model, found.name, opset)
        notes = tuple(note for note in (single, whole, limited) if note is not None)
        is_changed = bool(notes) or is_dequantised or output_name not in (None, *listed)
        return Prepared(model, opset, _constants_of(model.graph, path), notes, pixel_range, is_changed)


def _initializers(graph: GraphProto) -> list[TensorProto]:
    return [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]


def _constants_of(graph: GraphProto, path: Path) -> dict[str, Array]:
    """Return the weights that the nodes read."""
    read = {name for proto in graph.node for name in proto.input}
    for sparse in graph.sparse_initializer:
        if sparse.values.name in read:
            raise InputError(f"{path}: weight '{sparse.values.name}' is stored sparse; store it dense")
    return {tensor.name: array_of(tensor, path) for tensor in graph.initializer if tensor.name in read}
