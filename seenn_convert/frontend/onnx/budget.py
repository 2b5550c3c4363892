"""How much may be computed from the constants of a file while it is read, estimated before it is computed."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
from onnx import NodeProto, helper, numpy_helper, shape_inference

from seenn_convert.frontend.onnx.operators.base import Array, OnnxNode

FREE_NUMBERS = 2**26
"""What may be computed from constants in any file, in numbers; files with many weights may compute more."""
NUMBERS_PER_WEIGHT = 8
MOST_WORK = 2**32
"""What may be spent on it, in multiplications; some seconds."""

_GROWS = {
    "ConstantOfShape", "Expand", "EyeLike", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample", "CastLike",
}  # fmt: skip
"""Operators whose result may be larger than what they read, by numbers that they read."""
_SLOW = {
    "AveragePool", "ConvTranspose", "GlobalLpPool", "LRN", "MaxPool", "Resize", "Upsample", "DepthToSpace", "GatherND",
    "ScatterND", "ScatterElements", "GatherElements", "TopK", "Attention", "CumSum", "Mod", "Erf", "Unique",
}  # fmt: skip
"""Operators that ONNX's reference evaluates number by number."""
_SLOW_WORK = 2**12
_PLAIN_WORK = 2**4
_SHAPE_IS_READ = 64  # constants up to this length are shown to shape inference


class FoldingBudget:
    """What is left of the budget of one file."""

    def __init__(self, stored: int) -> None:
        self.numbers = FREE_NUMBERS + NUMBERS_PER_WEIGHT * stored
        self.work = MOST_WORK

    def spend(self, proto: NodeProto, node: OnnxNode, arrays: Sequence[Array | None]) -> None:
        """Take off what evaluating a node costs.

        Raises:
            UnsupportedOperatorError: Nothing would be left, or the size of the result cannot be told.
        """
        sizes = _result_sizes(proto, node.opset, arrays)
        if sizes is None:
            if proto.op_type in _GROWS:
                raise node.refuse("the size of its constant result is not known before it is computed", _REMEDY)
            sizes = [4 * sum(array.size for array in arrays if array is not None) + 1]
        numbers = sum(sizes)
        work = _work(proto, node, arrays, numbers)
        if numbers > self.numbers:
            raise node.refuse(
                f"its constant result would hold {numbers} numbers, and {self.numbers} may still be computed from the "
                "constants of this file",
                _REMEDY,
            )
        if work > self.work:
            raise node.refuse(
                f"its constant result would take {work:.1e} multiplications, and {self.work:.1e} may still be spent on "
                "the constants of this file",
                _REMEDY,
            )
        self.numbers -= numbers
        self.work -= work


_REMEDY = "store the result in the file instead, for example with onnxsim or onnxruntime's offline optimisation"


def _result_sizes(proto: NodeProto, opset: int, arrays: Sequence[Array | None]) -> list[int] | None:
    """Return how many numbers each result holds by ONNX's shape inference, None if it does not say."""
    feeds = {name: array for name, array in zip(proto.input, arrays, strict=True) if array is not None}
    try:
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in feeds.items()
        ]
        known = [
            numpy_helper.from_array(np.array(array), name)
            for name, array in feeds.items()
            if array.size <= _SHAPE_IS_READ
        ]
        results = [helper.make_empty_tensor_value_info(name) for name in proto.output if name]
        graph = helper.make_graph([proto], "constant", inputs, results, known)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        found = shape_inference.infer_shapes(model, data_prop=True).graph.output
    except Exception:  # the operator does not fit its inputs, which evaluating it will say
        return None
    shapes = [value.type.tensor_type for value in found]
    if not all(one.HasField("shape") and all(dim.HasField("dim_value") for dim in one.shape.dim) for one in shapes):
        return None
    return [prod(max(dim.dim_value, 0) for dim in one.shape.dim) for one in shapes]


def _work(proto: NodeProto, node: OnnxNode, arrays: Sequence[Array | None], numbers: int) -> int:
    """Return about how many multiplications a node takes."""
    given = [array for array in arrays if array is not None]
    read = sum(array.size for array in given)
    kernel: int = given[1].size // max(given[1].shape[0], 1) if len(given) > 1 and given[1].ndim else 1
    match proto.op_type:
        case "MatMul" | "Gemm":
            longest: int = max((1, *given[0].shape))
            return numbers * longest
        case "Conv":
            return numbers * kernel
        case "ConvTranspose":
            return read * kernel
        case "Einsum" | "Attention":
            return _einsum_work(node.text("equation", ""), given)
    return max(numbers, read) * (_SLOW_WORK if proto.op_type in _SLOW else _PLAIN_WORK)


def _einsum_work(equation: str, given: Sequence[Array]) -> int:
    """Return the product of the lengths of all letters, or of the sizes of all inputs where it is not spelled out."""
    terms = equation.partition("->")[0].replace(" ", "").split(",")
    if "." in equation or [len(term) for term in terms] != [array.ndim for array in given]:
        return prod(array.size for array in given)
    lengths: Mapping[str, int] = dict(
        pair for term, array in zip(terms, given, strict=True) for pair in zip(term, array.shape, strict=True)
    )
    return prod(lengths.values())
