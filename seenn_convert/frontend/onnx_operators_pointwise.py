"""Builders of the ONNX operators that work on each element: activation functions and arithmetic."""

import math
import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seenn_convert.frontend.onnx_operators_base import (
    Activation,
    Array,
    Compute,
    Layer,
    OnnxNode,
    to_tensor,
)

Builder = Callable[[OnnxNode], Layer]


def module_of(kind: Callable[[], nn.Module]) -> Builder:
    """Return the builder of an operator that is one module without options."""
    return lambda node: Layer(kind())


def function_of(function: Callable[[Tensor], Tensor]) -> Builder:
    """Return the builder of an operator that is one function without options."""
    return lambda node: Layer(Compute(function))


def dropout(node: OnnxNode) -> Layer:
    """Dropout: nothing, at inference."""
    node.only_first_output()
    training = node.inputs[2] if node.has(2) else None
    if training is not None and not (isinstance(training, np.ndarray) and not training.any()):
        raise node.refuse("it is in training mode", "call model.eval() before the export")
    return Layer(nn.Identity())


def clip(node: OnnxNode) -> Layer:
    """Clip: ``ReLU`` or ``ReLU6`` where the bounds say so, else a clamp; bounds are inputs from opset 11 on."""
    if not node.activation(0).dtype.is_floating_point:
        raise node.refuse("only numbers with a fraction are supported")
    if node.opset >= 11:
        bounds = [
            None if found is None else float(found.reshape(-1)[0]) for found in map(node.optional_constant, (1, 2))
        ]
    else:
        bounds = [node.attributes.get("min"), node.attributes.get("max")]
    # The bounds that older exporters write for "none" are the largest float32.
    limit = float(np.finfo(np.float32).max)
    low = None if bounds[0] is None or bounds[0] <= -limit else bounds[0]
    high = None if bounds[1] is None or bounds[1] >= limit else bounds[1]
    if low is None and high is None:
        return Layer(nn.Identity())
    if low == 0 and high is None:
        return Layer(nn.ReLU())
    if low == 0 and high == 6:
        return Layer(nn.ReLU6())
    return Layer(Compute(partial(torch.clamp, min=low, max=high)))


def leaky_relu(node: OnnxNode) -> Layer:
    """LeakyRelu."""
    return Layer(nn.LeakyReLU(node.number("alpha", 0.01)))


def elu(node: OnnxNode) -> Layer:
    """Elu."""
    return Layer(nn.ELU(node.number("alpha", 1.0)))


def selu(node: OnnxNode) -> Layer:
    """Selu: PyTorch knows only the published constants; others are a scaled ``ELU``."""
    alpha, gamma = node.number("alpha", 1.6732632), node.number("gamma", 1.0507010)
    if math.isclose(alpha, 1.6732632, rel_tol=1e-6) and math.isclose(gamma, 1.0507010, rel_tol=1e-6):
        return Layer(nn.SELU())
    return Layer(nn.Sequential(nn.ELU(alpha), Compute(operator.mul, [None, gamma])))


def hard_sigmoid(node: OnnxNode) -> Layer:
    """HardSigmoid: PyTorch knows only the slope 1/6; others are a clamped line."""
    alpha, beta = node.number("alpha", 0.2), node.number("beta", 0.5)
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return Layer(nn.Hardsigmoid())
    line = [Compute(operator.mul, [None, alpha]), Compute(operator.add, [None, beta])]
    return Layer(nn.Sequential(*line, Compute(partial(torch.clamp, min=0.0, max=1.0))))


def gelu(node: OnnxNode) -> Layer:
    """Gelu, exact or by tanh."""
    return Layer(nn.GELU(approximate=node.text("approximate", "none")))


def swish(node: OnnxNode) -> Layer:
    """Swish: ``SiLU``."""
    if node.number("alpha", 1.0) != 1.0:
        raise node.refuse(f"alpha is {node.number('alpha', 1.0)}", "use alpha 1")
    return Layer(nn.SiLU())


def binary(function: Callable[[Any, Any], Any]) -> Builder:
    """Return the builder of an arithmetic operator over two inputs, one of which may be a constant."""

    def build(node: OnnxNode) -> Layer:
        activations = [value for value in node.inputs if isinstance(value, Activation)]
        if function is operator.truediv and not all(value.dtype.is_floating_point for value in activations):
            raise node.refuse("the division of whole numbers is not supported", "divide floating point numbers")
        return _over_inputs(node, function)

    return build


def variadic_sum(node: OnnxNode) -> Layer:
    """Sum: a chain of additions."""
    return _over_inputs(node, _sum_of)


def _sum_of(*terms: Any) -> Any:
    return reduce(operator.add, terms)


def _over_inputs(node: OnnxNode, function: Callable[..., Any]) -> Layer:
    ranks = [value.rank for value in node.inputs if isinstance(value, Activation)]
    operands: list[Tensor | float | None] = []
    for value in node.inputs:
        operands.append(_held(node, value, max(ranks)) if isinstance(value, np.ndarray) else None)
    given = tuple(i for i, value in enumerate(node.inputs) if isinstance(value, Activation))
    return Layer(Compute(function, operands), given)


def _held(node: OnnxNode, array: Array, rank: int) -> Tensor | float:
    """Return a constant operand: a plain number where it is one, a single row where the file repeats it per image."""
    if array.size == 1 and array.ndim <= rank:
        number: float = array.reshape(-1)[0].item()
        return number
    if array.ndim == rank and array.shape[0] == node.file_batch and (array == array[:1]).all():
        array = array[:1]
    return to_tensor(array)


def cast(node: OnnxNode) -> Layer:
    """Cast: nothing where the type stays, else a conversion between floating point types."""
    image, target = node.activation(0), _CAST_TYPES.get(node.integer("to", 0))
    if target is None or not image.dtype.is_floating_point:
        raise node.refuse("only casts between float16, float32 and float64 are supported", "remove the cast")
    return Layer(nn.Identity() if target == image.dtype else Compute(partial(Tensor.to, dtype=target)))


_CAST_TYPES = {1: torch.float32, 10: torch.float16, 11: torch.float64}  # by TensorProto.DataType
