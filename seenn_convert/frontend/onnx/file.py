"""Load an ONNX file: one model without local functions, or one sentence on why it cannot be used."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, inliner, numpy_helper

from seenn_convert.errors import InputError, reason_of
from seenn_convert.frontend.onnx.operators.base import Array

STANDARD_DOMAINS = ("", "ai.onnx")
MOST_NODES = 100_000
"""A file whose local functions expand to more nodes than this is refused; large classifiers have a few thousand."""

_NO_NUMBERS = "OSUc"  # kinds of numpy: objects, text and complex numbers
_NO_TEXT = "{}: holds text that is not UTF-8; the file is damaged, export it again"
_OLDEST_OPSET = 7  # older ones broadcast by other rules
_FunctionKey = tuple[str, str, str]


def load_model(path: Path, *, with_weights: bool = True) -> ModelProto:
    """Load a file, and put the bodies of its local functions where they are called; external data may be left out.

    Raises:
        InputError: It is missing, damaged, of another kind, or its functions expand without end.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an .onnx file")
    try:
        model = onnx.load(path, load_external_data=with_weights)
        if model.functions:
            _check_expansion(model, path)
            model = inliner.inline_local_functions(model)
    except (DecodeError, OSError, ValueError, TypeError, RuntimeError, onnx.checker.ValidationError) as error:
        raise InputError(
            f"{path}: not readable as an ONNX model ({reason_of(error)}); it may be truncated, of another kind, or "
            "apart from its external data: export or copy it again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise InputError(f"{path}: holds no ONNX graph; export the model again")
    if not all(isinstance(text, str) for text in _texts(model.graph)):  # protobuf hands out bytes that are no text
        raise InputError(_NO_TEXT.format(path))
    return model


def output_names(path: Path) -> list[str]:
    """Return the names of the outputs that a file lists."""
    with damage_told(path):
        return [value.name for value in load_model(path, with_weights=False).graph.output]


def opset_of(model: ModelProto, path: Path) -> int:
    """Return the version of the standard operators that a model is written in."""
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if not versions or not _OLDEST_OPSET <= versions[0] <= newest:
        found = f"opset {versions[0]}" if versions else "no opset"
        raise InputError(
            f"{path}: has {found}, supported are {_OLDEST_OPSET} to {newest}; convert it with onnx.version_converter "
            "or export it again"
        )
    return int(versions[0])


def array_of(tensor: TensorProto, path: Path) -> Array:
    """Return a stored constant, which must hold numbers.

    Raises:
        InputError: Its type is unknown or text, or its numbers are not as many as its shape says.
    """
    try:
        array = numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: weight '{tensor.name}' is not readable ({type(error).__name__}: {reason_of(error)}); export the "
            "model again"
        ) from error
    if array.dtype.kind in _NO_NUMBERS or list(array.shape) != list(tensor.dims):
        raise InputError(f"{path}: weight '{tensor.name}' holds no numbers of shape {list(tensor.dims)}; export again")
    return array


@contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what only a damaged file raises, wherever it is met, into one sentence."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(_NO_TEXT.format(path)) from error
    except (MemoryError, RecursionError, OverflowError) as error:
        raise InputError(
            f"{path}: reading it needs more memory than there is, or numbers beyond 64 bits; check the sizes in the "
            "file, or export it again"
        ) from error


def _texts(graph: GraphProto) -> Iterator[object]:
    """Yield the names in a graph."""
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name
    for value in (*graph.input, *graph.output):
        yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
    for proto in graph.node:
        yield from (proto.name, proto.op_type, proto.domain, *proto.input, *proto.output)
        yield from (attribute.name for attribute in proto.attribute)


def _check_expansion(model: ModelProto, path: Path) -> None:
    """Refuse local functions that call each other in a circle or expand to too many nodes."""
    functions = {_key(function): function for function in model.functions}
    sizes: dict[_FunctionKey, int] = {}
    for key in _callees_first(functions, path):
        sizes[key] = _size(functions[key].node, sizes)
    total = _size(model.graph.node, sizes)
    if total > MOST_NODES:
        raise InputError(
            f"{path}: its local functions expand to {total} nodes, at most {MOST_NODES} are read; export the model "
            "without functions"
        )


def _callees_first(functions: Mapping[_FunctionKey, FunctionProto], path: Path) -> list[_FunctionKey]:
    """Return the functions, each behind those that it calls."""
    order: dict[_FunctionKey, None] = {}
    for start in functions:
        stack, active = [(start, False)], set()
        while stack:
            key, is_done = stack.pop()
            if is_done:
                active.discard(key)
                order[key] = None
            elif key in active:
                raise InputError(f"{path}: its local function '{key[1]}' calls itself; export the model again")
            elif key not in order:
                active.add(key)
                stack.append((key, True))
                called = {_called(proto) for proto in _with_inner(functions[key].node)}
                stack.extend((other, False) for other in called if other in functions)
    return list(order)


def _size(nodes: Iterable[NodeProto], sizes: Mapping[_FunctionKey, int]) -> int:
    return sum(sizes.get(_called(proto), 1) for proto in _with_inner(nodes))


def _with_inner(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes, and those of the graphs inside them."""
    for proto in nodes:
        yield proto
        for attribute in proto.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _with_inner(graph.node)


def _key(function: FunctionProto) -> _FunctionKey:
    return function.domain, function.name, function.overload


def _called(proto: NodeProto) -> _FunctionKey:
    return proto.domain, proto.op_type, proto.overload
