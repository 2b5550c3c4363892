"""Builders of the ONNX convolutions."""

from collections.abc import Callable, Mapping

from torch import nn

from seenn_convert.frontend.onnx.operators.base import Array, Layer, OnnxNode, with_parameters
from seenn_convert.frontend.onnx.operators.window import padded, spatial_size, split_padding, window_of

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def convolution(node: OnnxNode) -> Layer:
    """Conv: a ``Conv1d``, ``Conv2d`` or ``Conv3d``, behind an explicit padding where the two sides differ."""
    weight, bias = node.constant(1), node.optional_constant(2)
    window = window_of(node, weight.shape[2:])
    groups = node.integer("group", 1)
    module = _filled(
        _CONVOLUTIONS, (weight.shape[1] * groups, weight.shape[0]), weight, bias,
        stride=window.stride, padding=window.begin if window.is_symmetric else 0, dilation=window.dilation,
        groups=groups,
    )  # fmt: skip
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
    module = _filled(
        _TRANSPOSED, (weight.shape[0], weight.shape[1] * groups), weight, bias,
        stride=tuple(stride), padding=tuple(begin) if is_symmetric else 0, output_padding=tuple(extra),
        dilation=tuple(dilation), groups=groups,
    )  # fmt: skip
    if is_symmetric:
        return Layer(module)
    crop = padded(nn.Identity(), [-n for n in begin], [-n for n in end], 0.0)
    return Layer(nn.Sequential(module, crop))


def _filled(
    kinds: Mapping[int, Callable[..., nn.Module]], channels: tuple[int, int], weight: Array, bias: Array | None,
    **options: object,
) -> nn.Module:  # fmt: skip
    """Return the layer for as many dimensions as the kernel has, with its parameters."""
    kernel = weight.shape[2:]
    module = kinds[len(kernel)](*channels, kernel, bias=bias is not None, device="meta", **options)
    return with_parameters(module, weight=weight, bias=bias)


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
