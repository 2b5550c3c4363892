"""PyTorch's own layers in ONNX."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seenn_convert.exporters.eight_bits import channel_axis, whole_numbers
from seenn_convert.exporters.onnx.graph import Graph, Operand, Value
from seenn_convert.exporters.onnx.linear_maps import largest_of, separable
from seenn_convert.exporters.onnx.whole_spikes import convolved_spikes, multiplied_spikes
from seenn_convert.ir.operators import PaddedLinear

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d


def convolution(g: Graph, m: Convolution, x: Value) -> str:
    """Convolve."""
    currents = convolved_spikes(g, m, x, _pads_of(m))
    if currents is not None:
        shape = (-1, *[1] * (x.rank - 2))
        return currents if m.bias is None else g.op("Add", currents, g.constant(m.bias.reshape(shape)))
    return g.op("Conv", x, *_weights(g, m), **_geometry(m), pads=_pads_of(m))


def transposed_convolution(g: Graph, m: Transposed, x: Value) -> str:
    """Convolve the other way round."""
    return g.op(
        "ConvTranspose", x, *_weights(g, m), **_geometry(m), pads=_pads_of(m), output_padding=list(m.output_padding)
    )


def linear(g: Graph, m: nn.Linear, x: Value) -> str:
    """Multiply by the weights, and add the bias."""
    weight = m.weight[:, : m.in_features] if isinstance(m, PaddedLinear) else m.weight
    currents = multiplied_spikes(g, m, x)
    if currents is not None:
        return currents if m.bias is None else g.op("Add", currents, g.constant(m.bias))
    if x.rank == 2:
        bias = () if m.bias is None else (g.constant(m.bias),)
        return g.op("Gemm", x, _stored(g, weight, 0), *bias, transB=1)
    product = g.op("MatMul", x, _stored(g, weight.T, 1))
    return product if m.bias is None else g.op("Add", product, g.constant(m.bias))


def batch_norm(g: Graph, m: nn.BatchNorm1d | nn.BatchNorm2d, x: Value) -> str:
    """Scale and shift each channel."""
    assert m.running_mean is not None and m.running_var is not None
    weight = torch.ones_like(m.running_mean) if m.weight is None else m.weight
    bias = torch.zeros_like(m.running_mean) if m.bias is None else m.bias
    constants = (g.constant(one) for one in (weight, bias, m.running_mean, m.running_var))
    return g.op("BatchNormalization", x, *constants, epsilon=m.eps)


def layer_norm(g: Graph, m: nn.LayerNorm, x: Value) -> str:
    """Normalise over the last axes."""
    scale = torch.ones(tuple(m.normalized_shape)) if m.weight is None else m.weight
    bias = () if m.bias is None else (g.constant(m.bias),)
    axis = -len(m.normalized_shape)
    return g.op("LayerNormalization", x, g.constant(scale), *bias, axis=axis, epsilon=m.eps)


def group_norm(g: Graph, m: nn.GroupNorm, x: Value) -> str:
    """Normalise over groups of channels."""
    parts = g.reshape(x, 0, m.num_groups, -1)
    ones, zeros = g.constant(torch.ones(m.num_groups)), g.constant(torch.zeros(m.num_groups))
    normal = g.op("InstanceNormalization", parts, ones, zeros, epsilon=m.eps)
    normal = g.reshape(normal, 0, *x.shape)
    if m.weight is None or m.bias is None:
        return normal
    shape = (-1, *[1] * (x.rank - 2))
    return g.op("Add", g.op("Mul", normal, g.constant(m.weight.reshape(shape))), g.constant(m.bias.reshape(shape)))


def relu(g: Graph, m: nn.ReLU, x: Value) -> str:
    """Rectify."""
    return g.op("Relu", x)


def leaky_relu(g: Graph, m: nn.LeakyReLU, x: Value) -> str:
    """Rectify, with a slope below 0."""
    return g.op("LeakyRelu", x, alpha=m.negative_slope)


def prelu(g: Graph, m: nn.PReLU, x: Value) -> str:
    """Rectify, with a slope for each channel below 0."""
    shape = (-1, *[1] * (x.rank - 2)) if m.num_parameters > 1 else (1,)
    return g.op("PRelu", x, g.constant(m.weight.reshape(shape)))


def max_pool(g: Graph, m: nn.MaxPool1d | nn.MaxPool2d, x: Value) -> str:
    """Take the largest of each window."""
    return pooled_maximum(g, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode)


def pooled_maximum(
    g: Graph, x: Value, kernel: object, stride: object, padding: object, dilation: object, ceil_mode: bool
) -> str:
    """Return the largest number of each window.

    With ``ceil_mode`` PyTorch leaves out a window that begins behind the image, and ONNX does not. So the padding at
    the end is written as what the windows that PyTorch has need.
    """
    axes = x.rank - 2
    size, pads, gaps = _each(kernel, axes), _each(padding, axes), _each(dilation, axes)
    steps, ends = _each(stride, axes) or size, pads
    if ceil_mode:
        pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1]
        counts = pool(torch.zeros(1, 1, *x.shape[1:]), size, steps, pads, gaps, True).shape[2:]
        windows = zip(counts, steps, size, gaps, x.shape[1:], pads, strict=True)
        ends = [max(0, (count - 1) * step + (one - 1) * gap + 1 - length - pad)
                for count, step, one, gap, length, pad in windows]  # fmt: skip
    if any(end >= one for end, one in zip(ends, size, strict=True)):  # with gaps; runtimes take no such padding
        longer = tuple(length + end for length, end in zip(x.shape[1:], ends, strict=True))
        padded = g.op("Pad", x, g.integers(0, 0, *[0] * axes, 0, 0, *ends), g.number(-math.inf))
        x = Value(padded, (x.shape[0], *longer), x.dtype)
        ends = [0] * axes
    return g.op("MaxPool", x, kernel_shape=size, strides=steps, pads=pads + ends, dilations=gaps)


def average_pool(g: Graph, m: nn.AvgPool1d | nn.AvgPool2d, x: Value) -> str:
    """Take the mean of each window."""
    return pooled_mean(
        g, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, getattr(m, "divisor_override", None)
    )


def pooled_mean(
    g: Graph, x: Value, kernel: object, stride: object, padding: object, ceil_mode: bool, counts_pads: bool,
    divisor: int | None = None,
) -> str:  # fmt: skip
    """Return the mean of each window; ``divisor`` takes the place of the number of its elements."""
    axes = x.rank - 2
    size, pads = _each(kernel, axes), _each(padding, axes)
    if ceil_mode and (divisor is not None or any(pads)):
        return _counted_mean(g, x, size, _each(stride, axes) or size, pads, counts_pads, divisor)
    result = g.op(
        "AveragePool", x, kernel_shape=size, strides=_each(stride, axes) or size, pads=pads + pads,
        ceil_mode=int(ceil_mode), count_include_pad=int(counts_pads or divisor is not None),
    )  # fmt: skip
    elements = float(torch.tensor(size).prod())
    return result if divisor is None else g.op("Mul", result, g.number(elements / divisor))


def _counted_mean(
    g: Graph, x: Value, size: list[int], steps: list[int], pads: list[int], counts_pads: bool, divisor: int | None
) -> str:
    """Return means with ``ceil_mode`` and padding, whose last windows runtimes count in several ways.

    The image is padded until every window lies in it, so that each mean is over all elements, and then multiplied by
    what PyTorch makes of an image of ones over what this makes of it.
    """
    axes = len(size)
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1]
    more = {} if axes == 1 else {"divisor_override": divisor}
    ones = torch.ones(1, 1, *x.shape[1:], dtype=torch.float64)
    wanted = pool(ones, size, steps, pads, True, counts_pads, **more)
    windows = zip(wanted.shape[2:], steps, size, x.shape[1:], pads, strict=True)
    ends = [max(0, (count - 1) * step + one - length - pad) for count, step, one, length, pad in windows]
    amounts = [amount for pair in zip(reversed(pads), reversed(ends), strict=True) for amount in pair]
    plain = pool(F.pad(ones, amounts), size, steps)
    padded = g.op("Pad", x, g.integers(0, 0, *pads, 0, 0, *ends))
    result = g.op("AveragePool", padded, kernel_shape=size, strides=steps)
    if plain.shape != wanted.shape:
        places = g.integers(*range(2, x.rank))
        result = g.op("Slice", result, g.integers(*[0] * axes), g.integers(*wanted.shape[2:]), places)
        for axis, count in enumerate(wanted.shape[2:], 2):
            plain = plain.narrow(axis, 0, count)
    return g.op("Mul", result, g.constant((wanted / plain).float()[0]))


def adaptive_average_pool(g: Graph, m: nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d, x: Value) -> str:
    """Take means of a given number of windows."""
    axes = list(range(2, x.rank))
    if all(size == 1 for size in _each(m.output_size, x.rank - 2)):
        return g.op("ReduceMean", x, g.integers(*axes), keepdims=1)
    return separable(g, m, x, axes)


def adaptive_max_pool(g: Graph, m: nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d, x: Value) -> str:
    """Take the largest of a given number of windows."""
    sizes, length = list(x.shape[1:]), _each(m.output_size, x.rank - 2)
    wanted = [size if count is None else count for size, count in zip(sizes, length, strict=True)]
    if any(size % count for size, count in zip(sizes, wanted, strict=True)):
        result: Operand = x
        for axis, (size, count) in enumerate(zip(sizes, wanted, strict=True), 2):
            result = largest_of(g, result, axis, _windows(size, count))
        return str(result)
    kernel = [size // count for size, count in zip(sizes, wanted, strict=True)]
    return g.op("MaxPool", x, kernel_shape=kernel, strides=kernel)


def _windows(length: int, count: int) -> Tensor:
    """Return the places in each of ``count`` windows of an axis, a row for each; the last place fills up short ones."""
    starts = [(number * length) // count for number in range(count)]
    ends = [-(-(number + 1) * length // count) for number in range(count)]
    most = max(end - start for start, end in zip(starts, ends, strict=True))
    return torch.tensor([[min(s + i, e - 1) for i in range(most)] for s, e in zip(starts, ends, strict=True)])


def identity(g: Graph, m: nn.Module, x: Value, *others: Value) -> str:
    """Return what comes in."""
    return x.name


def _weights(g: Graph, m: Convolution | Transposed) -> tuple[Operand, ...]:
    weight = _stored(g, m.weight, channel_axis(m))
    return (weight, *(() if m.bias is None else (g.constant(m.bias),)))


def _stored(g: Graph, weight: Tensor, axis: int) -> str:
    """Return the name of weights; those that are 8-bit numbers times a scale for each channel are stored as such.

    A cast and a product of constants are computed once, when the file is loaded; ``DequantizeLinear`` each time.
    """
    found = whole_numbers(weight, axis)
    if found is None:
        return g.constant(weight)
    numbers, scale = found
    return g.op("Mul", g.cast(g.constant(numbers), torch.float32), g.constant(scale))


def _geometry(m: Convolution | Transposed) -> dict[str, Any]:
    return {"strides": list(m.stride), "dilations": list(m.dilation), "group": m.groups}


def _pads_of(m: Convolution | Transposed) -> list[int]:
    """Return the padding at the beginning of each axis, then at the end of each."""
    if not isinstance(m.padding, str):
        return 2 * list(m.padding)
    if m.padding == "valid":
        return [0] * 2 * len(m.kernel_size)
    total = [step * (size - 1) for step, size in zip(m.dilation, m.kernel_size, strict=True)]
    return [one // 2 for one in total] + [one - one // 2 for one in total]


def _each(value: object, axes: int) -> list[int]:
    """Return a number for each axis, of one for all or of one each."""
    values: list[Any] = list(value) if isinstance(value, Sequence) else [value]
    return values * axes if len(values) == 1 else values
