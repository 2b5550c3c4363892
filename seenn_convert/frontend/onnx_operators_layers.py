"""Builders of the ONNX operators that have weights: convolutions, matrix products and normalisations."""

import numpy as np
import torch
from torch import nn

from seenn_convert.frontend.onnx_operators_base import (
    Activation,
    Array,
    Compute,
    Layer,
    OnnxNode,
    to_tensor,
    with_parameters,
)
from seenn_convert.frontend.onnx_operators_window import padded, spatial_size, split_padding, window_of

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d}
_INSTANCE_NORMS = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d}
_BATCH_NORMS = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}


def convolution(node: OnnxNode) -> Layer:
    """Conv: a ``Conv1d`` or ``Conv2d``, behind an explicit padding where the two sides differ."""
    weight, bias = node.constant(1), node.optional_constant(2)
    window = window_of(node, weight.shape[2:])
    groups = node.integer("group", 1)
    module = _CONVOLUTIONS[len(window.kernel)](
        weight.shape[1] * groups,
        weight.shape[0],
        window.kernel,  # type: ignore[arg-type]  # as many numbers as the chosen class has dimensions
        stride=window.stride,  # type: ignore[arg-type]
        padding=window.begin if window.is_symmetric else 0,  # type: ignore[arg-type]
        dilation=window.dilation,  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    with_parameters(module, weight=weight, bias=bias)
    return Layer(module if window.is_symmetric else padded(module, window.begin, window.end, 0.0))


def transposed_convolution(node: OnnxNode) -> Layer:
    """ConvTranspose: the module pads only the same on both sides, so other paddings crop its unpadded output."""
    weight, bias = node.constant(1), node.optional_constant(2)
    kernel, size, groups = weight.shape[2:], spatial_size(node), node.integer("group", 1)
    ones = [1] * len(kernel)
    stride, dilation = node.integers("strides") or ones, node.integers("dilations") or ones
    extra = node.integers("output_padding") or [0] * len(kernel)
    full = [
        s * (n - 1) + e + (k - 1) * d + 1 for n, k, s, d, e in zip(size, kernel, stride, dilation, extra, strict=True)
    ]
    begin, end = _transposed_pads(node, full, [n * s for n, s in zip(size, stride, strict=True)])
    is_symmetric = begin == end
    module = _TRANSPOSED[len(kernel)](
        weight.shape[0],
        weight.shape[1] * groups,
        tuple(kernel),  # type: ignore[arg-type]  # as many numbers as the chosen class has dimensions
        stride=tuple(stride),  # type: ignore[arg-type]
        padding=tuple(begin) if is_symmetric else 0,  # type: ignore[arg-type]
        output_padding=tuple(extra),  # type: ignore[arg-type]
        dilation=tuple(dilation),  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    with_parameters(module, weight=weight, bias=bias)
    if is_symmetric:
        return Layer(module)
    crop = padded(nn.Identity(), [-n for n in begin], [-n for n in end], 0.0)
    return Layer(nn.Sequential(module, crop))


def _transposed_pads(node: OnnxNode, full: list[int], same: list[int]) -> tuple[list[int], list[int]]:
    """Return what to crop on either side from an output of size ``full``; ``same`` is the size of SAME padding."""
    auto_pad, wanted = node.text("auto_pad", "NOTSET"), node.integers("output_shape")
    if wanted is None and auto_pad in ("NOTSET", "VALID"):
        pads = node.integers("pads") or [0] * (2 * len(full))
        return (pads[: len(full)], pads[len(full) :]) if auto_pad == "NOTSET" else ([0] * len(full), [0] * len(full))
    if wanted is not None and len(wanted) > len(full):
        wanted = wanted[-len(full) :]
    totals = [have - want for have, want in zip(full, wanted or same, strict=True)]
    if min(totals) < 0:
        raise node.refuse("its output_shape is larger than the convolution gives", "use output_padding instead")
    return split_padding(totals, extra_at_end=auto_pad == "SAME_UPPER")


def gemm(node: OnnxNode) -> Layer:
    """Gemm: a ``Linear`` with alpha, beta and the transpositions folded into its weights."""
    if node.integer("transA", 0):
        raise node.refuse("transA mixes the images of a batch", "export the model without the transposition")
    weight = node.constant(1) if node.integer("transB", 0) else node.constant(1).T
    weight = weight * np.asarray(node.number("alpha", 1.0), dtype=weight.dtype)
    offset = node.optional_constant(2)
    if offset is None:
        return Layer(_linear(weight, None))
    offset = offset * np.asarray(node.number("beta", 1.0), dtype=offset.dtype)
    if offset.ndim < 2 or offset.shape[0] == 1:
        return Layer(_linear(weight, np.broadcast_to(offset.reshape(-1), weight.shape[:1])))
    if offset.shape[0] == node.file_batch and (offset == offset[:1]).all():
        return Layer(_linear(weight, np.broadcast_to(offset[0], weight.shape[:1])))
    raise node.refuse("its third input differs between the images of a batch", "export it as one row")


def matrix_product(node: OnnxNode) -> Layer:
    """MatMul: a ``Linear`` where the right side is a constant matrix, else the plain product."""
    left, right = node.inputs[0], node.inputs[1]
    if isinstance(right, np.ndarray) and right.ndim == 2:
        return Layer(_linear(right.T, None))
    operands = [to_tensor(side) if isinstance(side, np.ndarray) else None for side in (left, right)]
    given = tuple(i for i, side in enumerate((left, right)) if isinstance(side, Activation))
    return Layer(Compute(torch.matmul, operands), given)


def _linear(weight: Array, bias: Array | None) -> nn.Module:
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return with_parameters(module, weight=weight, bias=bias)


def batch_normalization(node: OnnxNode) -> Layer:
    """BatchNormalization: ``BatchNorm`` with the stored statistics.

    Naming more than one output is how files before opset 14 ask for training mode, whether or not anything reads them.
    """
    node.only_first_output()
    rank = node.activation(0).rank
    if node.integer("training_mode", 0) or (node.opset < 14 and node.output_count > 1):
        raise node.refuse("it is in training mode", "call model.eval() before the export")
    if rank not in _BATCH_NORMS or (node.integer("spatial", 1) == 0 and rank > 2):
        raise node.refuse("only statistics per channel over one or two spatial dimensions are supported")
    scale, offset, mean, variance = (node.constant(position) for position in range(1, 5))
    module = _BATCH_NORMS[rank](scale.size, eps=node.number("epsilon", 1e-5), device="meta")
    count = np.zeros((), dtype=np.int64)
    with_parameters(
        module, weight=scale, bias=offset, running_mean=mean, running_var=variance, num_batches_tracked=count
    )
    return Layer(module)


def instance_normalization(node: OnnxNode) -> Layer:
    """InstanceNormalization: ``InstanceNorm`` with statistics of each image."""
    spatial_size(node)
    scale, offset = node.constant(1), node.constant(2)
    kind = _INSTANCE_NORMS[node.activation(0).rank]
    module = kind(scale.size, eps=node.number("epsilon", 1e-5), affine=True, device="meta")
    return Layer(with_parameters(module, weight=scale, bias=offset))


def group_normalization(node: OnnxNode) -> Layer:
    """GroupNormalization: ``GroupNorm``; before opset 21 the scale is one number per group, not per channel."""
    groups, channels = node.integer("num_groups", 1), node.activation(0).shapes[0][1]
    scale, offset = node.constant(1), node.constant(2)
    if node.opset < 21:
        scale, offset = np.repeat(scale, channels // groups), np.repeat(offset, channels // groups)
    module = nn.GroupNorm(groups, channels, eps=node.number("epsilon", 1e-5), device="meta")
    return Layer(with_parameters(module, weight=scale, bias=offset))


def layer_normalization(node: OnnxNode) -> Layer:
    """LayerNormalization: ``LayerNorm`` over the last dimensions."""
    node.only_first_output()
    axis = node.axis_beside_batch(node.integer("axis", -1))
    shape = node.activation(0).shapes[0][axis:]
    scale, offset = node.constant(1), node.optional_constant(2)
    module = nn.LayerNorm(shape, eps=node.number("epsilon", 1e-5), bias=offset is not None, device="meta")
    return Layer(
        with_parameters(
            module,
            weight=np.broadcast_to(scale, shape),
            bias=None if offset is None else np.broadcast_to(offset, shape),
        )
    )


def local_response_normalization(node: OnnxNode) -> Layer:
    """LRN: ``LocalResponseNorm``; for an even size PyTorch's window leans the other way."""
    size = node.integer("size", 1)
    if size % 2 == 0:
        raise node.refuse(f"its size {size} is even", "use an odd size")
    alpha, beta, bias = node.number("alpha", 1e-4), node.number("beta", 0.75), node.number("bias", 1.0)
    return Layer(nn.LocalResponseNorm(size, alpha=alpha, beta=beta, k=bias))


def p_relu(node: OnnxNode) -> Layer:
    """PRelu: ``PReLU`` with one slope, or one per channel."""
    image, slope = node.activation(0), node.constant(1)
    if slope.size == 1:
        return Layer(with_parameters(nn.PReLU(device="meta"), weight=slope.reshape(1)))
    aligned = (1,) * (image.rank - slope.ndim) + slope.shape
    channels = image.shapes[0][1] if image.rank > 1 else 0
    if aligned != (1, channels) + (1,) * (image.rank - 2):
        raise node.refuse(f"its slopes have shape {slope.shape}", "use one slope, or one per channel")
    return Layer(with_parameters(nn.PReLU(channels, device="meta"), weight=slope.reshape(-1)))
