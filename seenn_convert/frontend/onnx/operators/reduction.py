"""Builders of the ONNX reductions, and of what else works along whole axes."""

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

from torch import Tensor, nn

from seenn_convert.frontend.onnx.operators.base import Compute, Layer, OnnxNode


def reduction(function: Callable[..., Any], axes_are_input_from: int = 18) -> Callable[[OnnxNode], Layer]:
    """Return the builder of a reduction over axes, which are an attribute before the given opset."""

    def build(node: OnnxNode) -> Layer:
        image, axes = node.activation(0), node.integers("axes", 1 if node.opset >= axes_are_input_from else None)
        if not axes and node.integer("noop_with_empty_axes", 0):
            return Layer(nn.Identity())
        dims = sorted(node.axis_beside_batch(axis) for axis in axes or range(image.rank))
        return Layer(Compute(partial(function, dim=dims, keepdim=bool(node.integer("keepdims", 1)))))

    return build


def sum_of_squares(image: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    """Return what ReduceSumSquare computes."""
    return (image * image).sum(list(dim), keepdim=keepdim)


def log_of_sum(image: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    """Return what ReduceLogSum computes."""
    return image.sum(list(dim), keepdim=keepdim).log()


def product(image: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    """Return what ReduceProd computes: PyTorch's product takes one axis at a time, here the last one first."""
    return reduce(lambda value, axis: value.prod(axis, keepdim=keepdim), sorted(dim, reverse=True), image)


def cumulative_sum(node: OnnxNode) -> Layer:
    """CumSum: from either end, with or without the place itself."""
    axis = node.axis_beside_batch(int(node.constant(1).reshape(-1)[0]))
    exclusive, backwards = bool(node.integer("exclusive", 0)), bool(node.integer("reverse", 0))
    return Layer(Compute(partial(_cumulate, axis=axis, exclusive=exclusive, backwards=backwards)))


def _cumulate(image: Tensor, axis: int, exclusive: bool, backwards: bool) -> Tensor:
    ordered = image.flip(axis) if backwards else image
    total = ordered.cumsum(axis)
    total = total - ordered if exclusive else total
    return total.flip(axis) if backwards else total
