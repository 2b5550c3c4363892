"""An ONNX graph in the making: nodes, constants, names."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

OPSET = 20
"""Version of the operators: of ONNX 1.15, which every onnxruntime from 1.17 on runs."""

IR_VERSION = 9
"""Version of the file format that belongs to it."""

TYPES: dict[torch.dtype, int] = {
    torch.float32: onnx.TensorProto.FLOAT,
    torch.float64: onnx.TensorProto.DOUBLE,
    torch.float16: onnx.TensorProto.FLOAT16,
    torch.bfloat16: onnx.TensorProto.BFLOAT16,
    torch.bool: onnx.TensorProto.BOOL,
    torch.uint8: onnx.TensorProto.UINT8,
    torch.int8: onnx.TensorProto.INT8,
    torch.int16: onnx.TensorProto.INT16,
    torch.int32: onnx.TensorProto.INT32,
    torch.int64: onnx.TensorProto.INT64,
}
BATCH = "batch"
"""Name of the axis whose size is left open."""


class UntranslatableError(Exception):
    """A module has no translation; the exporter lists it with its node.

    Args:
        reason: What ONNX, or its runtime, cannot say.
        remedy: What the user can do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class Value:
    """A value of the graph: its name, the shape of one row without the batch, and its type of number."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32

    @property
    def rank(self) -> int:
        """Number of axes, the batch included."""
        return len(self.shape) + 1

    def example(self, device: str = "cpu") -> Tensor:
        """Return two rows of zeros of this shape and type."""
        return torch.zeros(2, *self.shape, dtype=self.dtype, device=device)


@dataclass(frozen=True)
class Sent:
    """What a layer of neurons has sent as whole numbers.

    Attributes:
        name: Of the whole numbers.
        worth: What one of them is worth, broadcastable to a row.
        most: The largest that they can be.
        signed: Whether they can be as far below 0.
    """

    name: str
    worth: Tensor
    most: int
    signed: bool


Operand: TypeAlias = Value | str
Names: TypeAlias = str | tuple[str, ...]
Translation: TypeAlias = Callable[..., Names]
"""Writes a module: ``translation(graph, module, *inputs)`` adds nodes and returns the names of the results."""


class Graph:
    """Collects nodes and constants; every name begins with ``prefix``, so that graphs can be put into one file.

    Args:
        prefix: Of all names.
        translate: Writes a module that another one wraps.
    """

    def __init__(self, prefix: str, translate: Translation) -> None:
        self.prefix, self._translate, self._place = prefix, translate, ""
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.sent: dict[str, Sent] = {}
        self._known: dict[tuple[object, ...], str] = {}
        self._used: dict[str, int] = {}

    def begin(self, place: str) -> None:
        """Name the nodes that follow after the node ``place`` of the program."""
        self._place = place

    def op(self, kind: str, *inputs: Operand, outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return the name of its first result; an empty input is left out."""
        return self.ops(kind, *inputs, outputs=outputs, **attributes)[0]

    def ops(self, kind: str, *inputs: Operand, outputs: int, **attributes: Any) -> tuple[str, ...]:
        """Add a node and return the names of its results."""
        name = self._unique(f"{self._place}.{kind}")
        results = tuple(name if index == 0 else f"{name}.{index}" for index in range(outputs))
        names = [one.name if isinstance(one, Value) else one for one in inputs]
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(kind, names, list(results), name=name, **given))
        return results

    def named(self, name: str, value: Operand) -> None:
        """Let ``value`` be called exactly ``name``: a result of the file."""
        source = value.name if isinstance(value, Value) else value
        self.nodes.append(helper.make_node("Identity", [source], [name], name=f"{self.prefix}{name}.result"))

    def constant(self, value: Tensor) -> str:
        """Return the name of a constant; the same numbers are stored once."""
        array = value.detach().cpu().contiguous().numpy()
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._known:
            self._known[key] = self._unique(f"{self._place}.constant")
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def number(self, value: float, dtype: torch.dtype = torch.float32) -> str:
        """Return the name of a constant that is a single number."""
        return self.constant(torch.tensor(value, dtype=dtype))

    def integers(self, *values: int) -> str:
        """Return the name of a constant list of whole numbers: axes, shapes, places."""
        return self.constant(torch.tensor(values, dtype=torch.int64))

    def cast(self, value: Operand, dtype: torch.dtype) -> str:
        """Return ``value`` as another type of number."""
        return self.op("Cast", value, to=TYPES[dtype])

    def reshape(self, value: Operand, *shape: int) -> str:
        """Return ``value`` with another shape; 0 keeps an axis, -1 is what is left."""
        return self.op("Reshape", value, self.integers(*shape))

    def per_row(self, value: Operand, like: Value) -> str:
        """Return numbers ``(B,)`` so that they broadcast against the rows of ``like``."""
        return self.reshape(value, -1, *[1] * (like.rank - 1)) if like.rank > 1 else _name(value)

    def inner(self, module: nn.Module, *inputs: Value) -> Value:
        """Write a module that another one wraps, and return its first result."""
        return self.inner_results(module, *inputs)[0]

    def inner_results(self, module: nn.Module, *inputs: Value) -> tuple[Value, ...]:
        """Write a module that another one wraps, and return its results."""
        names = self._translate(self, module, *inputs)
        with torch.no_grad():
            found = module(*(value.example() for value in inputs))
        names, examples = ((one,) if not isinstance(one, tuple) else one for one in (names, found))
        return tuple(
            Value(name, tuple(example.shape[1:]), example.dtype) for name, example in zip(names, examples, strict=True)
        )

    def result(self, name: str, like: Value) -> Value:
        """Return the value called ``name``, of the shape and type of another."""
        return Value(name, like.shape, like.dtype)

    def _unique(self, name: str) -> str:
        name = f"{self.prefix}{name}"
        self._used[name] = count = self._used.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"


def value_info(value: Value) -> onnx.ValueInfoProto:
    """Return the description of an input or output of a file."""
    return helper.make_tensor_value_info(value.name, TYPES[value.dtype], [BATCH, *value.shape])


def made_graph(graph: Graph, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.GraphProto:
    """Return the finished graph; ``inputs`` and ``outputs`` describe values."""
    return helper.make_graph(graph.nodes, name, list(inputs), list(outputs), initializer=graph.constants)


def made_model(graph: onnx.GraphProto, notes: dict[str, str]) -> onnx.ModelProto:
    """Return a model file with ``notes`` among its metadata."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="seenn_convert")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, notes)
    return model


def _name(value: Operand) -> str:
    return value.name if isinstance(value, Value) else value
