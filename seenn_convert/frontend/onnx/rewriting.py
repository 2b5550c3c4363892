"""A graph while its nodes are rewritten one after the other: the new nodes, and the constants that they read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.onnx.operators.base import Array

_REMEDY = "export the model before its quantisation"


class Rewriting:
    """What was made of the nodes so far; ``write`` puts it into the model."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.tensors: dict[str, TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
        self.nodes: list[NodeProto] = []
        self.held: list[TensorProto] = []

    def write(self) -> None:
        """Put the new nodes and constants into the model."""
        graph = self.model.graph
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.held)

    def constant(self, proto: NodeProto, position: int) -> Array:
        """Return an input that is stored in the file."""
        tensor = self.tensors.get(proto.input[position]) if given(proto, position) else None
        if tensor is None:
            raise refusal(proto, f"its input {position} is not a constant of the file")
        array: Array = numpy_helper.to_array(tensor)
        return array

    def hold(self, array: object, name: str = "") -> str:
        """Return the name of a new constant."""
        name = name or f"held/{len(self.held)}"
        while name in self.tensors:
            name += "_"
        tensor = numpy_helper.from_array(np.asarray(array), name)
        self.tensors[name] = tensor
        self.held.append(tensor)
        return name

    def emit(self, proto: NodeProto, kind: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> None:
        """Add a node in place of ``proto``, with its result unless another is named."""
        self.append(kind, inputs, output or proto.output[0], proto.name, **attributes)

    def append(self, kind: str, inputs: Sequence[str], output: str, name: str = "", **attributes: Any) -> None:
        """Add a node."""
        if not name or any(node.name == name for node in self.nodes[-2:]):  # one node may become several
            name = output
        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=name, **attributes))


def refusal(proto: NodeProto, why: str, remedy: str = _REMEDY) -> UnsupportedOperatorError:
    """Return the error that lists one node of a file."""
    label = proto.name or next(iter(proto.output), "?")
    return UnsupportedOperatorError([f"node '{label}' ({proto.op_type}): {why}; {remedy}"])


def given(proto: NodeProto, position: int) -> bool:
    """Tell whether a node has an input."""
    return position < len(proto.input) and bool(proto.input[position])
