"""Builders of the ONNX pooling and padding operators."""

import operator
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx.operators.base import Array, Compute, Layer, OnnxNode, to_tensor
from seenn_convert.frontend.onnx.operators.select import take
from seenn_convert.frontend.onnx.operators.window import Window, padded, spatial_size, window_of

_MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVERAGE_POOLS = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_GLOBAL_AVERAGES = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}
_PAD_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def max_pool(node: OnnxNode) -> Layer:
    """MaxPool: the module pads alike on both sides by at most half a kernel; other paddings are explicit, with -inf."""
    node.only_first_output()
    window = window_of(node, node.integers("kernel_shape") or [])
    if set(window.dilation) != {1} and node.text("auto_pad", "NOTSET").startswith("SAME"):
        raise node.refuse("onnxruntime and the specification differ on SAME padding with a dilation", "give the pads")
    ceil_mode = bool(node.integer("ceil_mode", 0))
    direct = _pads_within_module(window)
    module = _MAX_POOLS[len(window.kernel)](
        window.kernel,
        stride=window.stride,
        padding=window.begin if direct else 0,
        dilation=window.dilation,
        ceil_mode=ceil_mode and direct,
    )
    if direct:
        return Layer(module)
    return Layer(padded(module, window.begin, window.end_for(window.output_size(ceil_mode)), float("-inf")))


def average_pool(node: OnnxNode) -> Layer:
    """AveragePool: where the module cannot pad so, pool zeros in and correct by the share of counted places."""
    window = window_of(node, node.integers("kernel_shape") or [])
    if set(window.dilation) != {1}:
        raise node.refuse("a dilated average pool has no PyTorch counterpart", "use dilation 1")
    ceil_mode, count_padding = bool(node.integer("ceil_mode", 0)), bool(node.integer("count_include_pad", 0))
    direct = _pads_within_module(window)
    module: nn.Module = _AVERAGE_POOLS[len(window.kernel)](
        window.kernel,
        stride=window.stride,
        padding=window.begin if direct else 0,
        ceil_mode=ceil_mode and direct,
        count_include_pad=count_padding,
    )
    if direct:
        return Layer(module)
    end = window.end_for(window.output_size(ceil_mode))
    module = padded(module, window.begin, end, 0.0)
    factor = _average_correction(window, window.output_size(ceil_mode), count_padding)
    if (factor == 1).all():
        return Layer(module)
    scale = to_tensor(factor).to(node.activation(0).dtype)
    return Layer(nn.Sequential(module, Compute(operator.mul, [None, scale])))


def _pads_within_module(window: Window) -> bool:
    half = all(2 * pad <= kernel for pad, kernel in zip(window.begin, window.kernel, strict=True))
    return window.is_symmetric and half


def _average_correction(window: Window, output_size: Sequence[int], count_padding: bool) -> Array:
    """Return kernel size / number of places that count, for each output place."""
    factor: Array = np.ones(())
    for axis, count in enumerate(output_size):
        start = np.arange(count) * window.stride[axis] - window.begin[axis]
        stop = start + window.kernel[axis]
        low, high = 0, window.size[axis]
        if count_padding:
            low, high = -window.begin[axis], window.size[axis] + window.end[axis]
        places = np.minimum(stop, high) - np.maximum(start, low)
        factor = factor[..., None] * (window.kernel[axis] / places)
    return factor


def global_average_pool(node: OnnxNode) -> Layer:
    """GlobalAveragePool: an adaptive average pool to one place."""
    return Layer(_GLOBAL_AVERAGES[len(spatial_size(node))](1))


def global_max_pool(node: OnnxNode) -> Layer:
    """GlobalMaxPool: a max pool whose kernel is the whole image, which is known; the adaptive one adds an output."""
    size = spatial_size(node)
    return Layer(_MAX_POOLS[len(size)](size))


def global_lp_pool(node: OnnxNode) -> Layer:
    """GlobalLpPool: the norm over all places."""
    dims, order = list(range(2, 2 + len(spatial_size(node)))), node.integer("p", 2)
    return Layer(Compute(partial(torch.linalg.vector_norm, ord=order, dim=dims, keepdim=True)))


def pad(node: OnnxNode) -> Layer:
    """Pad: ``F.pad``; the amounts are an attribute before opset 11, an input since, and may name their axes."""
    rank, mode = node.activation(0).rank, node.text("mode", "constant")
    amounts = node.integers("pads", 1)
    if amounts is None or mode not in ("constant", *_PAD_MODES):
        raise node.refuse(f"mode '{mode}' is not supported", "pad with constant, reflect, edge or wrap")
    axes = [node.axis(axis) for axis in node.integers("axes", 3) or range(rank)]
    begin, end = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        begin[axis], end[axis] = amounts[i], amounts[i + len(axes)]
    if begin[0] or end[0]:
        raise node.refuse("it pads the batch", "pad other dimensions")
    first = next((axis for axis in range(rank) if begin[axis] or end[axis]), rank)
    if first == rank:
        return Layer(nn.Identity())
    if mode == "constant":
        fill = node.optional_constant(2)
        value = node.number("value", 0.0) if fill is None else float(fill.reshape(-1)[0])
        return Layer(Compute(partial(F.pad, pad=_torch_pads(begin, end, first), mode=mode, value=value)))
    if first < 2 or rank > 4 or mode == "wrap":
        return Layer(_padded_by_places(node, begin, end, mode))
    return Layer(Compute(partial(F.pad, pad=_torch_pads(begin, end, 2), mode=_PAD_MODES[mode])))


def _padded_by_places(node: OnnxNode, begin: Sequence[int], end: Sequence[int], mode: str) -> nn.Module:
    """Return a padding as a selection of positions, one axis after the other; a position may repeat or be absent."""
    steps = []
    for axis, (before, behind) in enumerate(zip(begin, end, strict=True)):
        if before or behind:
            places = np.arange(node.activation(0).shapes[0][axis])
            padded_places = np.pad(places, (max(before, 0), max(behind, 0)), mode=mode)  # type: ignore[call-overload]
            steps.append(take(padded_places[max(-before, 0) : len(padded_places) + min(behind, 0)], axis))
    return steps[0] if len(steps) == 1 else nn.Sequential(*steps)


def _torch_pads(begin: Sequence[int], end: Sequence[int], first: int) -> list[int]:
    """Return the paddings of the axes from ``first`` on in PyTorch's order, the last axis first."""
    return [amount for axis in reversed(range(first, len(begin))) for amount in (begin[axis], end[axis])]


def softmax(node: OnnxNode, function: Callable[..., Tensor]) -> Layer:
    """Softmax or LogSoftmax, over one axis; before opset 13 over all axes from the given one on, as if flattened."""
    if node.opset >= 13:
        return Layer(Compute(partial(function, dim=node.axis_beside_batch(node.integer("axis", -1)))))
    axis = node.axis_beside_batch(node.integer("axis", 1))
    sizes = node.activation(0).shapes[0][axis:]
    if len([size for size in sizes if size != 1]) <= 1:
        longest = axis + max(range(len(sizes)), key=lambda i: sizes[i])
        return Layer(Compute(partial(function, dim=longest)))
    flat = [nn.Flatten(axis), Compute(partial(function, dim=axis)), nn.Unflatten(axis, sizes)]
    return Layer(nn.Sequential(*flat))
