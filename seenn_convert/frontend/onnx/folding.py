"""Evaluation of the ONNX nodes that do not depend on the image, by ONNX's own reference in numpy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.onnx.budget import FoldingBudget
from seenn_convert.frontend.onnx.dequantise import dequantised
from seenn_convert.frontend.onnx.operators.base import BATCHES, Activation, Array, BatchValue, OnnxNode, Value

_RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
_SHAPE_OPERATORS = {"Shape", "Size"}
SHAPE_ARITHMETIC = {"ConstantOfShape", "Equal", "Max", "Min", "Mod", "Range", "ReduceProd", "Where", *_SHAPE_OPERATORS}
"""Operators that have no module but are common in the arithmetic of shapes, which is folded."""


_OTHERS = {
    "And", "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Compress",
    "Constant", "DequantizeLinear", "EyeLike", "GatherElements", "Greater", "GreaterOrEqual", "Hardmax", "IsInf",
    "IsNaN", "Less", "LessOrEqual", "NonZero", "Not", "OneHot", "Or", "QuantizeLinear", "ScatterElements", "ScatterND",
    "TopK", "Unique", "Xor",
}  # fmt: skip
FOLDED = SHAPE_ARITHMETIC | _RANDOM | _OTHERS
"""Operators that are evaluated (random ones: refused) where they read constants, besides those with a module."""


def attributes_of(proto: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node as Python values, text decoded."""
    found = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def has_subgraph(proto: NodeProto) -> bool:
    """Tell whether a node is control flow."""
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return any(attribute.type in kinds for attribute in proto.attribute)


def is_foldable(node: OnnxNode) -> bool:
    """Tell whether a node can be evaluated now: it reads constants and shapes only."""
    return node.op_type in _SHAPE_OPERATORS or not any(isinstance(value, Activation) for value in node.inputs)


def fold(proto: NodeProto, node: OnnxNode, budget: FoldingBudget) -> list[Value]:
    """Evaluate a foldable node within what is left of a budget, once for each batch size where that matters.

    Raises:
        UnsupportedOperatorError: If the node draws random numbers, costs too much, or cannot be evaluated.
    """
    if node.op_type in _RANDOM:
        raise node.refuse("it draws random numbers", "export the model for inference")
    if node.op_type == "Softmax" and node.opset < 13:
        raise node.refuse("the reference evaluates a constant Softmax by the rules of opset 13 only")
    if not any(isinstance(value, (BatchValue, Activation)) for value in node.inputs):
        return list(_evaluate(proto, node, [_at(value, 0) for value in node.inputs], budget))
    runs = [_evaluate(proto, node, [_at(value, i) for value in node.inputs], budget) for i in range(len(BATCHES))]
    return [_merge(arrays, node.name) for arrays in zip(*runs, strict=True)]


def _at(value: Value | None, which: int) -> Array | None:
    if isinstance(value, Activation):
        return np.broadcast_to(np.float32(0), value.shapes[which])  # only its shape is read
    return value.arrays[which] if isinstance(value, BatchValue) else value


def _merge(arrays: Sequence[Array], producer: str) -> Value:
    first, *rest = arrays
    if all(first.shape == other.shape and np.array_equal(first, other) for other in rest):
        return first
    return BatchValue(tuple(arrays), producer)


def _evaluate(proto: NodeProto, node: OnnxNode, arrays: Sequence[Array | None], budget: FoldingBudget) -> list[Array]:
    if node.op_type not in _SHAPE_OPERATORS:  # which read only the shape
        budget.spend(proto, node, arrays)
    feeds = {name: array for name, array in zip(proto.input, arrays, strict=True) if array is not None}
    outputs = [name for name in proto.output if name]
    try:
        if node.op_type in _BY_HAND:
            found: Any = [_BY_HAND[node.op_type](node, arrays)]
        elif "sparse_value" in node.attributes:
            found = [_dense(node.attributes["sparse_value"])]
        else:
            found = _evaluator(proto, node.opset, feeds, outputs).run(None, feeds)
    except UnsupportedOperatorError:
        raise
    except Exception as error:  # the reference raises whatever numpy does, and several classes of its own
        reason = str(error).strip().split("\n")[0]
        raise node.refuse(f"it cannot be evaluated as a constant ({type(error).__name__}: {reason})") from error
    if not all(isinstance(array, (np.ndarray, np.generic)) and array.dtype.kind not in "OSUc" for array in found):
        raise node.refuse("its constant result is not an array of numbers")
    return [np.asarray(array) for array in found]


def _batch_normalize(node: OnnxNode, arrays: Sequence[Array | None]) -> Array:
    """Normalize weights; by their own statistics in training mode, which is how exporters write weight standardisation.

    Before opset 14 naming more than one output asks for training mode; the reference does not know that form.
    """
    node.only_first_output()
    weight, scale, offset, mean, variance = (np.asarray(array) for array in arrays)
    axes = (0, *range(2, weight.ndim))
    per_channel = (1, -1, *(1 for _ in axes[1:]))
    if node.integer("training_mode", 0) or (node.opset < 14 and node.output_count > 1):
        mean, variance = weight.mean(axes), weight.var(axes)
    deviation = np.sqrt(variance + node.number("epsilon", 1e-5)).reshape(per_channel)
    centred = (weight - mean.reshape(per_channel)) / deviation
    normalized: Array = (centred * scale.reshape(per_channel) + offset.reshape(per_channel)).astype(weight.dtype)
    return normalized


def _dequantize(node: OnnxNode, arrays: Sequence[Array | None]) -> Array:
    """Return quantised weights as numbers; the reference knows only the newest forms of this operator."""
    weight, scale = (np.asarray(array) for array in arrays[:2])
    zero = np.zeros(scale.shape, np.int32) if len(arrays) < 3 or arrays[2] is None else np.asarray(arrays[2])
    try:
        return dequantised(weight, scale, zero, node.integer("axis", 1), node.integer("block_size", 0))
    except (ValueError, TypeError) as error:
        raise node.refuse(f"it does not fit its inputs ({error})", "export the model without quantisation") from error


def _dense(sparse: onnx.SparseTensorProto) -> Array:
    """Return a sparse constant, whose places are given by one number or by one for each dimension."""
    values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    shape = tuple(sparse.dims)
    dense: Array = np.zeros(shape, values.dtype)
    dense[np.unravel_index(places, shape) if places.ndim == 1 else tuple(places.T)] = values
    return dense


_BY_HAND: Mapping[str, Callable[[OnnxNode, Sequence[Array | None]], Array]] = {
    "BatchNormalization": _batch_normalize,
    "DequantizeLinear": _dequantize,
}


def _evaluator(proto: NodeProto, opset: int, feeds: Mapping[str, Array], outputs: Sequence[str]) -> ReferenceEvaluator:
    inputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in feeds]
    results = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    graph = helper.make_graph([proto], "constant", inputs, results)
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))
