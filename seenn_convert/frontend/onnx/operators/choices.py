"""Builders of the ONNX operators that give or take truth values: comparisons, logic, choices, casts.

The network holds truth values as PyTorch does; only a program may not, so they become part of one function there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seenn_convert.frontend.onnx.operators.base import Activation, Compute, Layer, OnnxNode, to_tensor
from seenn_convert.frontend.onnx.operators.pointwise import held, over_inputs

_CAST_TYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64,
}  # fmt: skip
"""By TensorProto.DataType."""


def comparison(function: Callable[[Any, Any], Any]) -> Callable[[OnnxNode], Layer]:
    """Return the builder of a comparison, or of a logical operator over two inputs."""
    return lambda node: over_inputs(node, function)


def is_infinite(node: OnnxNode) -> Layer:
    """IsInf: of either sign, or of one."""
    signs = node.integer("detect_negative", 1), node.integer("detect_positive", 1)
    if not all(signs):
        infinity = float("-inf") if signs[0] else float("inf")
        return Layer(Compute(torch.eq, [None, infinity if any(signs) else float("nan")]))
    return Layer(Compute(torch.isinf))


def where(node: OnnxNode) -> Layer:
    """Where: the condition and the branches may be constants, but not all of them."""
    condition, *branches = node.inputs
    if not isinstance(condition, (Activation, np.ndarray)):
        raise node.refuse("its condition is computed from the batch size", "let each image be computed by itself")
    if (condition.dtype if isinstance(condition, Activation) else to_tensor(condition).dtype) != torch.bool:
        raise node.refuse("its condition is not made of truth values", "cast it to bool")
    activations = [value for value in node.inputs if isinstance(value, Activation)]
    rank = max(value.rank for value in activations)
    kinds = [value.dtype for value in branches if isinstance(value, Activation)]
    operands: list[Tensor | None] = []
    for position, value in enumerate(node.inputs):
        if not isinstance(value, np.ndarray):
            operands.append(None)
            continue
        constant, kind = held(node, value, rank), kinds[0] if position and kinds else to_tensor(value).dtype
        operands.append(constant if isinstance(constant, Tensor) else torch.tensor(constant, dtype=kind))
    given = tuple(i for i, value in enumerate(node.inputs) if isinstance(value, Activation))
    return Layer(Compute(torch.where, operands), given)


def cast(node: OnnxNode) -> Layer:
    """Cast: nothing if the type stays."""
    return _cast_to(node, _CAST_TYPES.get(node.integer("to", 0)))


def cast_like(node: OnnxNode) -> Layer:
    """CastLike: a Cast to the type of the second input."""
    like = node.inputs[1]
    return _cast_to(node, like.dtype if isinstance(like, Activation) else to_tensor(node.constant(1)).dtype)


def _cast_to(node: OnnxNode, target: torch.dtype | None) -> Layer:
    if target not in _CAST_TYPES.values():
        raise node.refuse("casts to that type are not supported", "cast to float32")
    same = target == node.activation(0).dtype
    return Layer(nn.Identity() if same else Compute(partial(Tensor.to, dtype=target)))
