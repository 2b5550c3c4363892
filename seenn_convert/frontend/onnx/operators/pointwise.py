"""Builders of the ONNX operators that work on each element: activation functions and arithmetic."""

import math
import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx.operators.base import (
    Activation,
    Array,
    Compute,
    Layer,
    OnnxNode,
    repeats,
    to_tensor,
    with_parameters,
)

Builder = Callable[[OnnxNode], Layer]


def module_of(kind: Callable[[], nn.Module]) -> Builder:
    """Return the builder of an operator that is one module without options."""
    return lambda node: Layer(kind())


def function_of(function: Callable[[Tensor], Tensor]) -> Builder:
    """Return the builder of an operator that is one function without options."""
    return lambda node: Layer(Compute(function))


def by_alpha(kind: Callable[[float], nn.Module], default: float) -> Builder:
    """Return the builder of an operator that is one module with one number."""
    return lambda node: Layer(kind(node.number("alpha", default)))


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
    """Swish: ``SiLU``, or the formula where alpha is not 1."""
    alpha = node.number("alpha", 1.0)
    return Layer(nn.SiLU() if alpha == 1.0 else Compute(partial(_swish, alpha=alpha)))


def _swish(image: Tensor, alpha: float) -> Tensor:
    return image * torch.sigmoid(alpha * image)


def thresholded_relu(node: OnnxNode) -> Layer:
    """ThresholdedRelu: ``Threshold``, which is a ``ReLU`` from 0."""
    alpha = node.number("alpha", 1.0)
    return Layer(nn.Threshold(alpha, 0.0) if alpha else nn.ReLU())


def shrink(node: OnnxNode) -> Layer:
    """Shrink: zero within lambda of zero; values outside move towards zero by the bias."""
    lambd, bias = node.number("lambd", 0.5), node.number("bias", 0.0)
    return Layer(Compute(partial(_shrink, lambd=lambd, bias=bias)))


def _shrink(image: Tensor, lambd: float, bias: float) -> Tensor:
    outside = F.hardshrink(image, lambd)
    return outside if bias == 0.0 else outside - bias * torch.sign(outside)


def modulo(node: OnnxNode) -> Layer:
    """Mod of floating point numbers, whose result has the sign of the first input."""
    if not node.integer("fmod", 0):
        raise node.refuse("without fmod it is for whole numbers only", "set fmod to 1")
    return over_inputs(node, torch.fmod)


def p_relu(node: OnnxNode) -> Layer:
    """PRelu: ``PReLU`` with one slope, or one per channel; with other slopes the sum of two ReLUs."""
    image, slope = node.activation(0), node.constant(1)
    if slope.size == 1:
        return Layer(with_parameters(nn.PReLU(device="meta"), weight=slope.reshape(1)))
    aligned = (1,) * (image.rank - slope.ndim) + slope.shape
    channels = image.shapes[0][1] if image.rank > 1 else 0
    if aligned == (1, channels) + (1,) * (image.rank - 2):
        return Layer(with_parameters(nn.PReLU(channels, device="meta"), weight=slope.reshape(-1)))
    return Layer(Compute(_two_slopes, [None, held(node, slope, image.rank)]))


def _two_slopes(image: Tensor, slope: Tensor) -> Tensor:
    return torch.relu(image) - slope * torch.relu(-image)


def binary(function: Callable[[Any, Any], Any]) -> Builder:
    """Return the builder of an arithmetic operator over two inputs, one of which may be a constant."""

    def build(node: OnnxNode) -> Layer:
        activations = [value for value in node.inputs if isinstance(value, Activation)]
        if function is operator.truediv and not all(value.dtype.is_floating_point for value in activations):
            raise node.refuse("the division of whole numbers is not supported", "divide floating point numbers")
        return over_inputs(node, function)

    return build


def sum_of(*terms: Any) -> Any:
    """Return the sum of tensors and numbers."""
    return reduce(operator.add, terms)


def mean_of(*terms: Any) -> Any:
    """Return the mean of tensors and numbers."""
    return reduce(operator.add, terms) / len(terms)


def largest_of(*terms: Any) -> Any:
    """Return the largest of tensors and numbers, place by place."""
    return reduce(partial(_bounded, by_number="min", by_tensor=torch.maximum, of_numbers=max), terms)


def smallest_of(*terms: Any) -> Any:
    """Return the smallest of tensors and numbers, place by place."""
    return reduce(partial(_bounded, by_number="max", by_tensor=torch.minimum, of_numbers=min), terms)


def _bounded(
    first: Any, second: Any, by_number: str, by_tensor: Callable[..., Tensor], of_numbers: Callable[..., float]
) -> Any:
    """Combine two terms: a number bounds a tensor, which is a ReLU where the number is 0."""
    if not isinstance(first, Tensor):
        first, second = second, first
    if isinstance(second, Tensor):
        return by_tensor(first, second)
    return torch.clamp(first, **{by_number: second}) if isinstance(first, Tensor) else of_numbers(first, second)


def over_inputs(node: OnnxNode, function: Callable[..., Any]) -> Layer:
    """Return a function of any number of inputs, some of which may be constants."""
    ranks = [value.rank for value in node.inputs if isinstance(value, Activation)]
    operands = [held(node, value, max(ranks)) if isinstance(value, np.ndarray) else None for value in node.inputs]
    given = tuple(i for i, value in enumerate(node.inputs) if isinstance(value, Activation))
    return Layer(Compute(function, operands), given)


def held(node: OnnxNode, array: Array, rank: int) -> Tensor | float:
    """Return a constant operand: a plain number where it is one, a single row where the file repeats it per image."""
    if array.size == 1 and array.ndim <= rank:
        number: float = array.reshape(-1)[0].item()
        return number
    if array.ndim == rank and array.shape[0] == node.file_batch and repeats(array, array[:1]):
        array = array[:1]
    return to_tensor(array)
