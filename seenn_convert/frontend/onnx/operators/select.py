"""Builders of the ONNX operators that pick: slice, split, gather."""

from functools import partial

import numpy as np
import torch
from torch import nn

from seenn_convert.frontend.onnx.operators.base import (
    BATCHES,
    Activation,
    Array,
    BatchValue,
    Compute,
    Layer,
    OnnxNode,
    to_tensor,
)


def slice_(node: OnnxNode) -> Layer:
    """Slice: one step per axis; the arguments are attributes before opset 10."""
    image = node.activation(0)
    starts, ends = node.integers("starts", 1) or [], node.integers("ends", 2) or []
    axes = node.integers("axes", 3) or list(range(len(starts)))
    strides = node.integers("steps", 4) or [1] * len(starts)
    cuts: list[nn.Module] = []
    for start, end, axis, stride in zip(starts, ends, (node.axis(axis) for axis in axes), strides, strict=True):
        if axis == image.batch_axis:
            if (start, stride) != (0, 1) or end < (node.file_batch or np.iinfo(np.int32).max):
                raise node.refuse("it cuts the batch", "cut other dimensions")
            continue
        if stride < 0:
            cuts.append(take(np.arange(image.shapes[0][axis])[slice(start, end, stride)], axis))
            continue
        low, high, _ = slice(start, end, stride).indices(image.shapes[0][axis])
        if (low, high, stride) != (0, image.shapes[0][axis], 1):
            # Indexing would record an empty slice for every axis before this one.
            cuts.append(Compute(torch.ops.aten.slice.Tensor, [None, axis, low, high, stride]))
    if not cuts:
        return Layer(nn.Identity())
    return Layer(cuts[0] if len(cuts) == 1 else nn.Sequential(*cuts))


def split(node: OnnxNode) -> Layer:
    """Split: into the given sizes, or into equal parts of which the last may be smaller."""
    axis = node.axis_beside_batch(node.integer("axis", 0))
    size, sizes = node.activation(0).shapes[0][axis], node.integers("split", 1)
    if sizes is None:
        count = node.integer("num_outputs", node.output_count)
        part = -(-size // count)
        sizes = [min(part, size - i * part) for i in range(count)]
    return Layer(Compute(partial(torch.split, split_size_or_sections=sizes, dim=axis)))


def gather(node: OnnxNode) -> Layer:
    """Gather: a selection for one index, ``index_select`` for a list or a table of them."""
    table = _table_within_rows(node)
    if table is not None:
        return Layer(_taken_within_rows(table, node.activation(0).shapes[0][0] // BATCHES[0]))
    axis, index = node.axis_beside_batch(node.integer("axis", 0)), node.constant(1)
    size = node.activation(0).shapes[0][axis]
    if index.ndim == 0:
        return Layer(Compute(partial(torch.select, dim=axis, index=int(index) % size)))
    return Layer(_shaped(take(index.reshape(-1) % size, axis), index.shape, axis))


def _table_within_rows(node: OnnxNode) -> Array | None:
    """Return the positions in one row if a Gather along the batch takes the same positions of every row, in order.

    That is how the exporter of PyTorch 2 writes a tensor's strides: rows joined into one axis, and a table of places.
    """
    image, index = node.activation(0), node.inputs[1]
    if node.axis(node.integer("axis", 0)) != 0 or image.batch_axis != 0 or isinstance(index, Activation):
        return None
    if isinstance(index, BatchValue):
        given = list(zip(BATCHES, index.arrays, strict=True))
    else:
        given = [(node.file_batch or 0, node.constant(1))]
    tables = [_same_in_each_row(places, batch, image.shapes[0][0] // BATCHES[0]) for batch, places in given]
    found = [table for table in tables if table is not None]
    return found[0] if len(found) == len(tables) and all(np.array_equal(table, found[0]) for table in found) else None


def _same_in_each_row(places: Array, batch: int, length: int) -> Array | None:
    if places.ndim == 0 or len(places) != batch:
        return None
    table = places - length * np.arange(batch).reshape(-1, *[1] * (places.ndim - 1))
    first: Array = table[0]
    return first if (table == first).all() and first.min() >= 0 and first.max() < length else None


def _taken_within_rows(table: Array, length: int) -> nn.Module:
    if np.array_equal(table.reshape(-1), np.arange(length)):
        return Compute(partial(torch.unflatten, dim=0, sizes=(-1, *table.shape)))
    rows = Compute(partial(torch.unflatten, dim=0, sizes=(-1, length)))
    return nn.Sequential(rows, _shaped(take(table.reshape(-1), 1), table.shape, 1))


def gather_nd(node: OnnxNode) -> Layer:
    """GatherND over leading axes: they are joined into one, from which a list of places is taken."""
    image, index = node.activation(0), node.constant(1)
    depth = index.shape[-1]
    if node.integer("batch_dims", 0) or image.batch_axis is None or image.batch_axis < depth:
        raise node.refuse("it picks along the batch", "pick along other dimensions, in front of the batch")
    lengths = np.array(image.shapes[0][:depth])
    places = np.ravel_multi_index(tuple((index.reshape(-1, depth) % lengths).T), tuple(lengths))
    taken = _shaped(take(places, 0), index.shape[:-1], 0)
    return Layer(taken if depth == 1 else nn.Sequential(Compute(partial(torch.flatten, end_dim=depth - 1)), taken))


def take(places: Array, axis: int) -> nn.Module:
    """Return a module that takes a list of places along one axis."""
    index = to_tensor(np.asarray(places, dtype=np.int64))
    return Compute(torch.index_select, [None, axis, index])


def _shaped(taken: nn.Module, shape: tuple[int, ...], axis: int) -> nn.Module:
    """Give what was taken along ``axis`` the shape of a table of places."""
    if len(shape) == 1:
        return taken
    if not shape:
        return nn.Sequential(taken, Compute(partial(torch.squeeze, dim=axis)))
    return nn.Sequential(taken, Compute(partial(torch.unflatten, dim=axis, sizes=shape)))
