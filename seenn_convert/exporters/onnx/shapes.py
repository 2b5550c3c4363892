"""The package's own operators in ONNX: sums, shapes, constants, clips, and what acts on the parts of a row."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from seenn_convert.exporters.onnx.graph import Graph, UntranslatableError, Value
from seenn_convert.ir.operators import (
    Add,
    Affine,
    Cast,
    ClippedReLU,
    Concatenate,
    ConstantRow,
    EachStep,
    Expand,
    FirstSpikes,
    GradedReLU,
    Mean,
    MeanOverFrames,
    Pad,
    PaddedMaxPool,
    Permute,
    PerPart,
    QuantisedReLU,
    Reshape,
    RowConvolution,
    Slice,
    Subtract,
)
from seenn_convert.ir.operators.basic import KeptActivation
from seenn_convert.neurons.layers import Neuron

MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def add(g: Graph, m: Add, x: Value, y: Value) -> str:
    """Add."""
    return g.op("Add", x, y)


def subtract(g: Graph, m: Subtract, x: Value, y: Value) -> str:
    """Subtract."""
    return g.op("Sub", x, y)


def concatenate(g: Graph, m: Concatenate, *parts: Value) -> str:
    """Join."""
    return g.op("Concat", *parts, axis=m.dim)


def mean(g: Graph, m: Mean, x: Value) -> str:
    """Take the mean over axes."""
    dims = (m.dims,) if isinstance(m.dims, int) else m.dims
    return g.op("ReduceMean", x, g.integers(*dims), keepdims=int(m.keepdim))


def mean_over_frames(g: Graph, m: MeanOverFrames, frames: Value) -> str:
    """Take the mean frame."""
    return g.op("ReduceMean", frames, g.integers(1), keepdims=0)


def reshape(g: Graph, m: Reshape, x: Value) -> str:
    """Give rows another shape."""
    if 0 in m.shape:
        raise UntranslatableError("a row without numbers", "leave the operator out")
    return g.reshape(x, 0, *m.shape)


def expand(g: Graph, m: Expand, x: Value) -> str:
    """Repeat along axes of size 1."""
    sizes = [own if size == -1 else size for size, own in zip(m.shape, x.shape, strict=True)]
    return g.op("Expand", x, g.integers(1, *sizes))


def permute(g: Graph, m: Permute, x: Value) -> str:
    """Reorder axes."""
    return g.op("Transpose", x, perm=[axis % x.rank for axis in m.dims])


def slice_(g: Graph, m: Slice, x: Value) -> str:
    """Take a part of an axis."""
    return g.op("Slice", x, *(g.integers(one) for one in (m.start, m.end, m.dim, m.step)))


def pad(g: Graph, m: Pad, x: Value) -> str:
    """Pad."""
    amounts = g.integers(*_pads(m.amounts, x.rank))
    if m.mode == "constant":
        return g.op("Pad", x, amounts, g.number(m.value))
    return g.op("Pad", x, amounts, mode=MODES[m.mode])


def padded_max_pool(g: Graph, m: PaddedMaxPool, x: Value) -> str:
    """Pad with minus infinity, and pool."""
    amounts = _pads(m.amounts, x.rank)
    shape = tuple(size + amounts[axis + 1] + amounts[x.rank + axis + 1] for axis, size in enumerate(x.shape))
    padded = g.op("Pad", x, g.integers(*amounts), g.number(-math.inf))
    return g.inner(m.pool, Value(padded, shape, x.dtype)).name


def affine(g: Graph, m: Affine, x: Value) -> str:
    """Scale and shift."""
    return g.op("Add", g.op("Mul", x, g.constant(m.scale)), g.constant(m.shift))


def clipped_relu(g: Graph, m: ClippedReLU, x: Value) -> str:
    """Clip between 0 and the maximum."""
    return g.op("Clip", x, g.number(0.0), g.number(m.maximum))


def quantised_relu(g: Graph, m: QuantisedReLU, x: Value) -> str:
    """Clip and round to levels."""
    steps = g.op("Mul", x, g.number(m.levels / m.maximum))
    rounded = g.op("Round", steps) if m.to_even else g.op("Floor", g.op("Add", steps, g.number(0.5)))
    return g.op("Mul", g.op("Clip", rounded, g.number(0.0), g.number(float(m.levels))), g.number(m.maximum / m.levels))


def graded_relu(g: Graph, m: GradedReLU, x: Value) -> str:
    """Rectify, and clip where there is a maximum."""
    return g.op("Relu", x) if math.isinf(m.maximum) else g.op("Clip", x, g.number(0.0), g.number(m.maximum))


def kept_activation(g: Graph, m: KeptActivation, x: Value) -> str:
    """Apply the activation that was kept."""
    return g.inner(m.operator, x).name


def constant_row(g: Graph, m: ConstantRow, x: Value) -> str:
    """Repeat a constant for every row."""
    rows = g.op("Shape", x, start=0, end=1)
    shape = g.op("Concat", rows, g.integers(*m.value.shape), axis=0) if m.value.dim() else rows
    return g.op("Expand", g.constant(m.value), shape)


def each_step(g: Graph, m: EachStep, *inputs: Value) -> str:
    """Apply the operator to the values of this timestep."""
    return g.inner(m.operator, *inputs).name


def first_spikes(g: Graph, m: FirstSpikes, current: Value) -> str:
    """Fire once from the initial state."""
    neuron = m.neuron
    assert isinstance(neuron, Neuron)
    zero = g.op("Mul", current, g.number(0.0))
    state = [g.op("Add", zero, g.constant(neuron.v_initial)), *[zero] * (len(neuron.state_names) - 1)]
    return g.inner_results(neuron, current, *(g.result(value, current) for value in state))[0].name


def cast(g: Graph, m: Cast, x: Value) -> str:
    """Change the type of number."""
    dtype: torch.dtype = getattr(torch, m.dtype)
    return g.cast(x, dtype)


def per_part(g: Graph, m: PerPart, *inputs: Value) -> str:
    """Apply an operator to each part of a row."""
    rows = [Value(g.reshape(x, -1, *x.shape[1:]), x.shape[1:], x.dtype) for x in inputs]
    result = g.inner(m.operator, *rows)
    return g.reshape(result, -1, inputs[0].shape[0], *result.shape)


def row_convolution(g: Graph, m: RowConvolution, x: Value, weight: Value) -> str:
    """Convolve each row with weights of its own: what each place sees, times the weights.

    As a grouped convolution it would need as many groups as there are rows, and that number is fixed in ONNX.
    """
    channels, *size = x.shape
    outputs, _, *kernel = weight.shape
    places = torch.arange(1, math.prod(size) + 1, dtype=torch.float64).reshape(1, 1, *_flat(size, 1))
    geometry = (_flat(one, rest) for one, rest in ((m.dilation, 1), (m.padding, 0), (m.stride, 1)))
    table = F.unfold(places, _flat(kernel, 1), *geometry)[0].long()
    seen = g.op("Pad", g.reshape(x, 0, channels, -1), g.integers(0, 0, 1, 0, 0, 0))  # place 0 holds a 0
    seen = g.op("Gather", seen, g.constant(table.flatten()), axis=2)
    seen = g.reshape(seen, 0, m.groups, -1, table.shape[1])
    product = g.op("MatMul", g.reshape(weight, 0, m.groups, outputs // m.groups, -1), seen)
    lengths = zip(size, kernel, m.stride, m.padding, m.dilation, strict=True)
    following = [(one + 2 * pad - step * (window - 1) - 1) // stride + 1 for one, window, stride, pad, step in lengths]
    return g.reshape(product, 0, outputs, *following)


def _flat(values: Sequence[int], rest: int) -> tuple[int, ...]:
    """Return two numbers: those of an image, or ``rest`` and that of a signal, as an image of height 1."""
    return tuple(values) if len(values) == 2 else (rest, *values)


def _pads(amounts: tuple[int, ...], rank: int) -> list[int]:
    """Return PyTorch's amounts, last axis first, as ONNX has them: all beginnings, then all ends."""
    missing = [0] * (rank - len(amounts) // 2)
    return [*missing, *amounts[-2::-2], *missing, *amounts[::-2]]
