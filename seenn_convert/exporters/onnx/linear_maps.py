"""Operators that ONNX has no words for, by what they do: move numbers, or act along one axis after another.

Where they are linear they are found by asking the operator itself, so they hold for every one of its options.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from seenn_convert.exporters.onnx.graph import Graph, Operand, UntranslatableError, Value

MOST_MOVED = 2**24
"""Numbers of a row's result at most, each of which takes a place of 8 bytes in the file."""

MOST_SUMMED = 2**24
"""Numbers of a matrix at most, of 4 bytes each."""


def moved(g: Graph, operator: Callable[[Tensor], Tensor], x: Value) -> str:
    """Write an operator that only moves the numbers of a row, repeats them, or puts zeros, as a table of places.

    Raises:
        UntranslatableError: It does something else, or the table is too large.
    """
    size = x.example("meta")[0].numel()
    places = operator(torch.arange(1, size + 1, dtype=torch.float64).reshape(1, *x.shape))
    shape, table = tuple(places.shape[1:]), places.flatten().long()
    sample = torch.randn(1, *x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    flat = torch.cat([sample.new_zeros(1), sample.flatten()])
    are_places = (places.flatten() == table) & (table >= 0) & (table <= size)
    if len(table) > MOST_MOVED or not bool(are_places.all()):
        raise UntranslatableError("it does more than move numbers", "replace the operator by others")
    if not torch.equal(flat[table], operator(sample).flatten()):
        raise UntranslatableError("it does more than move numbers", "replace the operator by others")
    row = g.reshape(x, 0, -1)
    if bool((table == 0).any()):
        row = g.op("Pad", row, g.integers(0, 1, 0, 0))
    else:
        table = table - 1
    return g.reshape(g.op("Gather", row, g.constant(table), axis=1), 0, *shape)


def separable(g: Graph, operator: Callable[[Tensor], Tensor], x: Value, axes: Sequence[int]) -> str:
    """Write an operator that averages along one of ``axes`` after another as a product with a matrix for each.

    The weights of each of its means add up to 1, as those of an interpolation do.
    """
    result, shape = x.name, list(x.shape)
    for axis in axes:
        matrix = _along(operator, x.shape, axis)
        if torch.equal(matrix, torch.eye(len(matrix), matrix.shape[1], dtype=matrix.dtype)):
            continue
        order = [place for place in range(x.rank) if place != axis] + [axis]
        turned = result if axis == x.rank - 1 else g.op("Transpose", result, perm=order)
        turned = g.op("MatMul", turned, g.constant(matrix.T.float()))
        back = [order.index(place) for place in range(x.rank)]
        result = turned if axis == x.rank - 1 else g.op("Transpose", turned, perm=back)
        shape[axis - 1] = matrix.shape[0]
    return result


def summed(g: Graph, operator: Callable[[Tensor], Tensor], x: Value, inputs: Sequence[int], channels: int) -> str:
    """Write a linear operator that treats ``channels`` alike as a product with one matrix.

    ``x`` is read as rows of ``channels`` times ``inputs``, the shape of what the operator takes of one channel.

    Raises:
        UntranslatableError: The matrix is too large.
    """
    size = math.prod(inputs)
    outputs = operator(torch.zeros(1, *inputs)).shape[1:]
    if size * math.prod(outputs) > MOST_SUMMED:
        raise UntranslatableError("it adds so many numbers that its matrix fills the file", "export with --to pt2")
    matrix = operator(torch.eye(size).reshape(size, *inputs)).reshape(size, -1)
    product = g.op("MatMul", g.reshape(x, 0, channels, size), g.constant(matrix))
    return g.reshape(product, 0, channels * outputs[0], *outputs[1:])


def largest_of(g: Graph, x: Operand, axis: int, table: Tensor, kind: str = "ReduceMax") -> str:
    """Return the largest of several places along an axis, for each row of ``table``; a place may stand there twice."""
    return g.op(kind, g.op("Gather", x, g.constant(table), axis=axis), g.integers(axis + 1), keepdims=0)


def _along(operator: Callable[[Tensor], Tensor], shape: Sequence[int], axis: int) -> Tensor:
    """Return the matrix ``(outputs, inputs)`` by which ``operator`` acts along ``axis``.

    Each row of the batch is 1 at one place of the axis, whatever the other axes.
    """
    length, shape = shape[axis - 1], (1, *shape[1:])  # one channel stands for all
    ones = [1] * (len(shape) - axis)
    rows = torch.eye(length, dtype=torch.float64).reshape(length, *[1] * (axis - 1), length, *ones)
    result = operator(rows.expand(length, *shape).contiguous())
    index = tuple(0 if place not in (0, axis) else slice(None) for place in range(result.dim()))
    return result[index].T
