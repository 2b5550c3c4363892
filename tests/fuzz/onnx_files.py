"""Mutated ``.onnx`` files: bytes, nodes left out, doubled and wired elsewhere, attributes, types, sizes and weights."""

import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper

from fuzz.values import mutated_bytes
from seenn_convert.frontend.load import read_model

Array = np.ndarray[Any, Any]
SIZES = (-1, 0, 1, 2, 3, 5, 7, 64, 2**16, 2**31, 2**40, 2**62)
OPERATORS = (
    "Abs", "Add", "ArgMax", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant",
    "ConstantOfShape", "Conv", "ConvTranspose", "DequantizeLinear", "DynamicQuantizeLinear", "Einsum", "Expand",
    "Flatten", "Gather", "Gemm", "Identity", "If", "Loop", "MatMul", "MatMulInteger", "MaxPool", "Pad", "QLinearConv",
    "QuantizeLinear", "Range", "RegexFullMatch", "Relu", "Reshape", "Resize", "Shape", "Slice", "Softmax", "Split",
    "StringConcat", "Tile", "TopK", "Transpose", "Unique", "Where",
)  # fmt: skip


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an endless iterator over mutations of a few small files."""
    random_ = random.Random(seed)
    while True:
        one = random.Random(random_.getrandbits(64))
        name = one.choice(sorted(_FILES))
        if one.random() < 0.25:
            content, what = mutated_bytes(original(name), one), "bytes of the file"
        else:
            content, what = mutated(name, one)
        shape = one.choice((None, None, None, (2, 6, 6), (1, 2**20, 2**20)))
        yield f"{name}: {what}", lambda folder, content=content, shape=shape: _read(folder, content, shape)  # type: ignore[misc]


def mutated(name: str, random_: random.Random) -> tuple[bytes, str]:
    """Return one of the files with one to three things changed, and what."""
    model = onnx.load_from_string(original(name))
    said = []
    for _ in range(random_.choice((1, 1, 2, 3))):
        change = random_.choice(_CHANGES)
        try:
            said.append(change(model.graph, random_))
        except (IndexError, ValueError, TypeError):  # there is nothing left to change, or no room for the number
            said.append("nothing")
    if random_.random() < 0.05:
        model.opset_import[0].version = random_.choice((0, 1, 6, 7, 10, 12, 18, 23, 26, 2**31))
        said.append("another opset")
    return model.SerializeToString(), ", ".join(said)


def _read(folder: Path, content: bytes, shape: tuple[int, ...] | None) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    source = read_model(path, shape)
    source.check(torch.rand(3, *source.program.input_shape, dtype=source.program.input_dtype))


def _leave_node_out(graph: GraphProto, random_: random.Random) -> str:
    del graph.node[random_.randrange(len(graph.node))]
    return "a node left out"


def _double_node(graph: GraphProto, random_: random.Random) -> str:
    graph.node.add().CopyFrom(random_.choice(graph.node))
    return "a node twice"


def _shuffle_nodes(graph: GraphProto, random_: random.Random) -> str:
    nodes = list(graph.node)
    random_.shuffle(nodes)
    del graph.node[:]
    graph.node.extend(nodes)
    return "nodes in another order"


def _change_operator(graph: GraphProto, random_: random.Random) -> str:
    node = random_.choice(graph.node)
    node.op_type = random_.choice(OPERATORS)
    node.domain = random_.choice(("", "", "", "com.microsoft", "ai.onnx.ml", "qonnx.custom_op.general"))
    return f"a node becomes {node.op_type}"


def _wire(graph: GraphProto, random_: random.Random) -> str:
    node = random_.choice(graph.node)
    names = [name for one in graph.node for name in (*one.input, *one.output)] + ["", "nowhere", "x"]
    side = random_.choice((node.input, node.input, node.output))
    if random_.random() < 0.3:
        side.append(random_.choice(names))
    else:
        side[random_.randrange(len(side))] = random_.choice(names)
    return "a value of another name"


def _change_attribute(graph: GraphProto, random_: random.Random) -> str:
    node = random_.choice(graph.node)
    if not node.attribute or random_.random() < 0.3:
        name = random_.choice(("axis", "axes", "perm", "kernel_shape", "strides", "pads", "group", "to", "value", "mode"))
        node.attribute.append(helper.make_attribute(name, random_.choice((1, -1, 2**62, [1, 1], [2**31], "a", 0.5))))
        return f"a new attribute {name}"
    attribute = random_.choice(node.attribute)
    if attribute.ints and random_.random() < 0.7:
        attribute.ints[random_.randrange(len(attribute.ints))] = random_.choice(SIZES)
    elif random_.random() < 0.5:
        attribute.i = random_.choice((*SIZES, 9, 10, 16))
    else:
        attribute.type = random_.randrange(16)
    return f"attribute {attribute.name}"


def _change_bytes_of_attribute(graph: GraphProto, random_: random.Random) -> str:
    attribute = helper.make_attribute("auto_pad", "a")
    attribute.s = random_.randbytes(3)
    random_.choice(graph.node).attribute.append(attribute)
    return "an attribute that is no text"


def _change_weight(graph: GraphProto, random_: random.Random) -> str:
    tensor = random_.choice(graph.initializer)
    kind = random_.randrange(4)
    if kind == 0:
        tensor.data_type = random_.choice((*range(30), 99))
        return f"weight {tensor.name} of type {tensor.data_type}"
    if kind == 1:
        tensor.dims[random_.randrange(len(tensor.dims))] = random_.choice(SIZES)
        return f"weight {tensor.name} of another shape"
    if kind == 2:
        tensor.raw_data = mutated_bytes(tensor.raw_data, random_)
        return f"bytes of weight {tensor.name}"
    array = numpy_helper.to_array(tensor)
    values = np.array([random_.choice((0, -1, 1, 2**31, 2**62, 7)) for _ in range(array.size)], np.float64)
    with np.errstate(all="ignore"):
        tensor.CopyFrom(numpy_helper.from_array(values.reshape(array.shape).astype(array.dtype), tensor.name))
    return f"numbers of weight {tensor.name}"


def _change_input(graph: GraphProto, random_: random.Random) -> str:
    value = random_.choice((*graph.input, *graph.output))
    tensor = value.type.tensor_type
    if random_.random() < 0.4:
        tensor.elem_type = random_.choice((*range(30), 99))
        return f"{value.name} of type {tensor.elem_type}"
    if random_.random() < 0.2:
        value.name = random_.choice(("", "x", "y", "w", "c"))
        return "an input or output of another name"
    dim = random_.choice(tensor.shape.dim)
    dim.dim_value = random_.choice(SIZES)
    return f"{value.name} of another size"


def _compute_constants(graph: GraphProto, random_: random.Random) -> str:
    """Let a node read a constant that a chain of nodes computes, which may be large."""
    node = random_.choice(graph.node)
    shape = [random_.choice(SIZES[1:]) for _ in range(random_.choice((1, 2, 3)))]
    graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), "shape_of_constant"))
    graph.node.append(helper.make_node("ConstantOfShape", ["shape_of_constant"], ["constant_0"]))
    kinds = [random_.choice(("Add", "MatMul", "Einsum", "Concat", "Exp", "NonZero", "Tile")) for _ in range(3)]
    for i, kind in enumerate(kinds):
        options: dict[str, Any] = {"Einsum": {"equation": "ab,bc->ac"}, "Concat": {"axis": 0}}.get(kind, {})
        inputs = [f"constant_{i}"] * (1 if kind in ("Exp", "NonZero") else 2)
        graph.node.append(helper.make_node(kind, inputs, [f"constant_{i + 1}"], **options))
    node.input[random_.randrange(len(node.input))] = "constant_3"
    return f"a constant {shape} by {', '.join(kinds)}"


_CHANGES: tuple[Callable[[GraphProto, random.Random], str], ...] = (
    _leave_node_out, _double_node, _shuffle_nodes, _change_operator, _wire, _wire, _change_attribute, _change_attribute,
    _change_bytes_of_attribute, _change_weight, _change_weight, _change_input, _change_input, _compute_constants,
)  # fmt: skip


@cache
def original(name: str) -> bytes:
    """Return one of the small files that are mutated."""
    found: ModelProto = _FILES[name]()
    return found.SerializeToString()


def _plain() -> ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "b", "s"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["p"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["p", "target"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"], transB=1),
    ]
    weights = {**_weights(), "zero": np.array([0]), "rest": np.array([-1])}
    return _model(nodes, weights, TensorProto.FLOAT)


def _half() -> ModelProto:
    nodes = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Conv", ["h", "w", "b"], ["c"], auto_pad="SAME_UPPER"),
        helper.make_node("Clip", ["c", "low", "high"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Cast", ["f"], ["y"], to=TensorProto.FLOAT),
    ]
    weights = {**_weights(), "low": np.float32(0), "high": np.float32(3)}
    return _model(nodes, {name: array.astype(np.float16) for name, array in weights.items()}, TensorProto.FLOAT)


def _quantised() -> ModelProto:
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["q", "scales", "zeros"], ["w"], axis=0),
        helper.make_node("Conv", ["d", "w"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["cq"]),
        helper.make_node("MaxPool", ["cq"], ["pq"], kernel_shape=[4, 4]),
        helper.make_node("DequantizeLinear", ["pq", "scale", "zero"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["y"]),
    ]
    random_ = np.random.default_rng(0)
    weights = {
        "q": random_.integers(-127, 127, (4, 2, 3, 3)).astype(np.int8), "scales": np.full(4, 0.01, np.float32),
        "zeros": np.zeros(4, np.int8), "scale": np.float32(0.02), "zero": np.uint8(3),
        "m": random_.normal(size=(4, 3)).astype(np.float32),
    }  # fmt: skip
    return _model(nodes, {name: np.asarray(array) for name, array in weights.items()}, TensorProto.UINT8)


def _weights() -> dict[str, Array]:
    random_ = np.random.default_rng(0)
    shapes = {"w": (4, 2, 3, 3), "b": (4,), "s": (4,), "g": (3, 36)}
    return {name: np.abs(random_.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def _model(nodes: list[onnx.NodeProto], weights: dict[str, Array], kind: int) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, ["n", 2, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


_FILES: dict[str, Callable[[], ModelProto]] = {"plain": _plain, "half": _half, "quantised": _quantised}
