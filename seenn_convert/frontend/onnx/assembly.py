"""Turn ONNX nodes into modules one after the other, folding those that do not depend on the image."""

import keyword
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import onnx
import torch
from onnx import ModelProto, NodeProto, ValueInfoProto, helper
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.onnx.budget import FoldingBudget
from seenn_convert.frontend.onnx.file import STANDARD_DOMAINS
from seenn_convert.frontend.onnx.folding import (
    FOLDED,
    SHAPE_ARITHMETIC,
    attributes_of,
    fold,
    has_subgraph,
    is_foldable,
)
from seenn_convert.frontend.onnx.image import MOST_NUMBERS, ImageInput
from seenn_convert.frontend.onnx.operators.base import (
    BATCHES,
    Activation,
    Array,
    BatchValue,
    OnnxNode,
    Value,
    repeats,
    to_tensor,
)
from seenn_convert.frontend.onnx.operators.table import BUILDERS
from seenn_convert.frontend.quiet import quiet
from seenn_convert.ir.operators import ConstantRow

_READS_SHAPES = {("Reshape", 1), ("Expand", 1)}  # where a builder takes a shape that depends on the batch
_REMEDY = "replace the operator in the model and export it again"
_REMEDIES = {  # what usually brings an operator into an exported classifier
    **dict.fromkeys(
        ("ArgMax", "TopK", "Hardmax"),
        "export the model so that it ends with its logits, or name these with --output-name",
    ),
    **dict.fromkeys(("QuantizeLinear", "QLinearConv", "ConvInteger"), "export the model before its quantisation"),
}


@dataclass(frozen=True)
class Step:
    """One call of a submodule: which values it reads and writes, and which are not needed afterwards."""

    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    released: tuple[str, ...] = ()


class Assembly:
    """A network under construction: everything known about each value so far, and every problem met."""

    def __init__(
        self,
        model: ModelProto,
        image: ImageInput,
        opset: int,
        constants: Mapping[str, Array],
        reserved: AbstractSet[str],
    ) -> None:
        self.model, self.image, self.opset, self.reserved = model, image, opset, reserved
        self.values: dict[str, Value] = dict(constants)
        shapes = tuple((batch, *image.shape) for batch in BATCHES)
        self.values[image.name] = Activation(shapes, image.dtype)
        self.budget = FoldingBudget(sum(array.size for array in constants.values()))
        self.unknown: set[str] = set()
        self.problems: list[str] = []
        self.steps: list[Step] = []
        self.modules: dict[str, nn.Module] = {}
        self.counters: dict[str, int] = {}
        self.inferred: dict[str, ValueInfoProto] | None = None
        self.read = {name for proto in model.graph.node for name in proto.input}
        self.read.update(value.name for value in model.graph.output)

    def add(self, proto: NodeProto) -> None:
        """Fold or build one node; if that fails, note the problem and go on with the inferred shape of its result."""
        node = self._node_of(proto)
        try:
            self._fold_or_build(proto, node)
        except UnsupportedOperatorError as error:
            self.problems.extend(error.problems)
            if is_foldable(node):
                self.unknown.update(proto.output)
            else:
                self._stand_in(proto)

    def _node_of(self, proto: NodeProto) -> OnnxNode:
        count = self.counters.get(proto.op_type, 0)
        self.counters[proto.op_type] = count + 1
        return OnnxNode(
            name=proto.name or f"{proto.op_type}_{count}",
            op_type=proto.op_type,
            opset=self.opset,
            attributes=attributes_of(proto),
            inputs=tuple(self.values.get(name) for name in proto.input),
            used_outputs=tuple(i for i, name in enumerate(proto.output) if name in self.read),
            output_count=sum(map(bool, proto.output)),
            file_batch=self.image.batch,
        )

    def _fold_or_build(self, proto: NodeProto, node: OnnxNode) -> None:
        if proto.domain not in STANDARD_DOMAINS:
            raise node.refuse(f"the domain '{proto.domain}' is not part of ONNX", "export with standard operators only")
        if has_subgraph(proto):
            raise node.refuse("control flow is not supported", "export a model without branches and loops")
        incomplete = not self.unknown.isdisjoint(proto.input)
        known = proto.op_type in BUILDERS
        if not incomplete and is_foldable(node) and (known or proto.op_type in FOLDED):
            # Outputs that nothing reads may be missing.
            results = fold(proto, node, self.budget)
            self.values.update(zip([name for name in proto.output if name], results, strict=False))
        elif incomplete and (known or proto.op_type in SHAPE_ARITHMETIC):
            self.unknown.update(proto.output)
        elif not known:
            raise node.refuse("the operator has no conversion", _REMEDIES.get(proto.op_type, _REMEDY))
        else:
            self._build(proto, node)

    def _build(self, proto: NodeProto, node: OnnxNode) -> None:
        names = [self._for_each_image(name, proto, i) for i, name in enumerate(proto.input)]
        node = replace(node, inputs=tuple(self.values.get(name) for name in names))
        try:
            layer = BUILDERS[proto.op_type](node)
            given = [names[position] for position in layer.operands]
            found = _infer(layer.module.eval(), [node.activation(position) for position in layer.operands])
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError) as error:
            reason = str(error).strip().split("\n")[0]
            raise node.refuse(f"it does not fit its inputs, or not for every batch size ({reason})") from error
        largest = max(prod(value.shape_at(1)) for value in found)
        if largest > MOST_NUMBERS:
            raise node.refuse(f"its result for one image would hold {largest} numbers", "make the image smaller")
        self._append(node.name, layer.module, given, proto.output[: len(found)])
        outers = {node.activation(position).outer for position in layer.operands}
        outer = max(outers) if layer.outer is None else layer.outer
        self.values.update(zip(proto.output, (replace(value, outer=outer) for value in found), strict=False))

    def _for_each_image(self, name: str, proto: NodeProto, position: int) -> str:
        """Return the name of an input, first repeated for every image if it is a constant as long as the batch."""
        value = self.values.get(name)
        if not isinstance(value, BatchValue) or (proto.op_type, position) in _READS_SHAPES:
            return name
        repeated = f"{name}/for_each_image"
        row = value.arrays[0][:1] if value.arrays[0].ndim else value.arrays[0]
        wanted = tuple((batch, *row.shape[1:]) for batch in BATCHES)
        if tuple(array.shape for array in value.arrays) == wanted and all(repeats(a, row) for a in value.arrays):
            if repeated not in self.values:
                module = ConstantRow(to_tensor(row[0]))
                self._append(value.producer, module, [self.image.name], [repeated])
                self.values[repeated] = Activation(wanted, module.value.dtype)
            return repeated
        return name

    def _append(self, label: str, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        name = base = _identifier(label)
        count = 1
        while name in self.modules or name in self.reserved:
            name, count = f"{base}_{count}", count + 1
        self.modules[name] = module
        self.steps.append(Step(name, tuple(inputs), tuple(outputs)))

    def _stand_in(self, proto: NodeProto) -> None:
        """Take the result of a refused node from ONNX's shape inference, so that the nodes after it are checked too."""
        if self.inferred is None:
            try:
                graph = onnx.shape_inference.infer_shapes(self.model).graph
            except Exception:  # inference is a help only; without it fewer problems are found at once
                graph = self.model.graph
            self.inferred = {value.name: value for value in (*graph.value_info, *graph.output)}
        for name in proto.output:
            value = _activation_from(self.inferred.get(name), self.image)
            if value is None:
                self.unknown.add(name)
            else:
                self.values[name] = value


def _identifier(label: str) -> str:
    """Return a name that a submodule can have and generated code can spell."""
    name = re.sub(r"\W", "_", label, flags=re.ASCII).strip("_") or "node"
    return f"node_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


def _infer(module: nn.Module, inputs: Sequence[Activation]) -> tuple[Activation, ...]:
    """Return what a module gives, from shapes alone."""
    runs = []
    for which in range(len(BATCHES)):
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), quiet():
            found = module(*(torch.empty(value.shapes[which], dtype=value.dtype) for value in inputs))
        runs.append(found if isinstance(found, tuple) else (found,))
    return tuple(
        Activation(tuple(tuple(o.shape) for o in outputs), outputs[0].dtype) for outputs in zip(*runs, strict=True)
    )


def _activation_from(info: ValueInfoProto | None, image: ImageInput) -> Activation | None:
    """Return what shape inference knows of a value, or None if a size other than the batch is open."""
    if info is None or not info.type.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    code = info.type.tensor_type.elem_type
    if len(sizes) < 2 or min(sizes[1:]) < 1 or code not in (1, 7, 9, 10, 11):
        return None
    dtype = torch.from_numpy(np.zeros(0, helper.tensor_dtype_to_np_dtype(code))).dtype
    is_batch = sizes[0] == (image.batch or 0)
    return Activation(tuple((batch if is_batch else sizes[0], *sizes[1:]) for batch in BATCHES), dtype)
