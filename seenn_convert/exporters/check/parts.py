"""What part each module plays for a chip, and the facts that its own options give."""

import math
from typing import Any

from torch import nn

from seenn_convert.exporters.check import view
from seenn_convert.exporters.check.view import Fact
from seenn_convert.ir import operators
from seenn_convert.ir.operators.adopted import KeepState
from seenn_convert.neurons.layers import Neuron

Shape = tuple[int, ...]

_PARTS: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    (operators.CONVOLUTIONS, view.CONVOLUTION),
    ((nn.Linear,), view.LINEAR),
    ((operators.Analog, operators.Graded, operators.GradedReLU), view.GRADED),
    ((*operators.SPIKING_OPERATORS, Neuron), view.NEURON),
    ((nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), view.AVERAGE_POOL),
    (operators.HOMOGENEOUS_OPERATORS, view.MAX_POOL),
    ((operators.Add, operators.Subtract), view.SUM),
    ((operators.Concatenate,), view.CONCATENATION),
    ((nn.Identity, nn.Dropout, KeepState), view.RESHAPE),
    ((operators.Affine, nn.BatchNorm1d, nn.BatchNorm2d), view.AFFINE),
    ((operators.MeanOverFrames,), view.FRAMES),
)


def part_of(module: nn.Module, input_shapes: tuple[Shape, ...], output_shape: Shape) -> str:
    """Return the part of ``module`` in a network: one of ``view.PARTS``.

    Args:
        module: What is called.
        input_shapes: Of its inputs, without the batch.
        output_shape: Of its result, without the batch.
    """
    if isinstance(module, operators.Reshape):
        is_view = len(output_shape) == 1 or math.prod(output_shape[1:]) == 1
        return view.RESHAPE if is_view or not input_shapes or input_shapes[0] == output_shape else view.OTHER
    if isinstance(module, operators.Mean):
        axes = len(input_shapes[0]) if input_shapes else 0
        spatial = {dim % (axes + 1) for dim in module.dims} == set(range(2, axes + 1))
        return view.AVERAGE_POOL if spatial and axes in (2, 3) else view.OTHER
    return next((part for kinds, part in _PARTS if isinstance(module, kinds)), view.OTHER)


def own_facts(module: nn.Module, part: str, input_shape: Shape, output_shape: Shape) -> dict[str, Fact]:
    """Return the facts of a call site that need no other one: sizes, kernel, stride, padding, groups.

    Args:
        module: What is called.
        part: Its part in the network.
        input_shape: Of its first input, without the batch.
        output_shape: Of its result, without the batch.
    """
    facts: dict[str, Fact] = {"operator": type(module).__name__, **_sizes("input", input_shape)}
    facts |= _sizes("output", output_shape)
    if isinstance(module, operators.CONVOLUTIONS):
        facts |= _convolution(module, input_shape, output_shape)
    elif isinstance(module, nn.Linear):
        facts |= {"weights": module.in_features * module.out_features, "bias": module.bias is not None}
        facts |= {"groups": 1, "dimensions": 0, "synapses": module.in_features * math.prod(output_shape)}
    elif part in (view.AVERAGE_POOL, view.MAX_POOL):
        facts |= _pooling(module, input_shape, output_shape)
    elif part == view.NEURON:
        facts |= {"neurons": math.prod(output_shape)}
    return facts


def _sizes(which: str, shape: Shape) -> dict[str, Fact]:
    """Return channels, and height and width, of a value ``(C, *S)``."""
    if not shape:
        return {}
    sizes: dict[str, Fact] = {f"{which}_channels": shape[0], f"{which}_size": tuple(shape[1:]) or (1,)}
    return sizes if len(shape) != 3 else {**sizes, f"{which}_height": shape[1], f"{which}_width": shape[2]}


def _convolution(module: Any, input_shape: Shape, output_shape: Shape) -> dict[str, Fact]:
    kernel, stride = tuple(module.kernel_size), tuple(module.stride)
    transposed = isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d))
    padding = (0,) * len(kernel) if isinstance(module.padding, str) else tuple(module.padding)
    taps = module.weight[0].numel()
    return {
        "kernel": kernel,
        "square": len(set(kernel)) == 1,
        "stride": stride,
        "padding": padding,
        "pads_like": "valid" if transposed else _pads_like(kernel, stride, padding, input_shape[1:], output_shape[1:]),
        "dilation": tuple(module.dilation),
        "groups": module.groups,
        "depthwise": module.groups == module.in_channels > 1,
        "transposed": transposed,
        "dimensions": len(kernel),
        "weights": module.weight.numel(),
        "bias": module.bias is not None,
        "synapses": taps * math.prod(input_shape if transposed else output_shape),
    }


def _pads_like(kernel: Shape, stride: Shape, padding: Shape, before: Shape, after: Shape) -> str:
    """Return how a convolution pads.

    ``same`` if the output has the size of the input, over the stride, and the zeros are those of TensorFlow's ``SAME``;
    ``shifted`` if only the size is; ``valid`` without zeros; else ``other``.
    """
    if not any(padding) and any(k > 1 for k in kernel):
        return "valid"
    axes = list(zip(kernel, stride, padding, before, after, strict=False))
    if any(out != -(-size // s) for _, s, _, size, out in axes):
        return "other"
    wanted = [max((out - 1) * s + k - size, 0) for k, s, _, size, out in axes]
    return "same" if all(2 * p == zeros for zeros, (_, _, p, _, _) in zip(wanted, axes, strict=True)) else "shifted"


def _pooling(module: Any, input_shape: Shape, output_shape: Shape) -> dict[str, Fact]:
    """Return kernel, stride and padding of a pooling; one over all positions is ``whole``."""
    pool = getattr(module, "pool", module)
    spatial = tuple(input_shape[1:])
    whole = math.prod(output_shape[1:]) == 1
    if hasattr(pool, "kernel_size"):
        kernel = _per_axis(pool.kernel_size, len(spatial))
        stride = _per_axis(pool.stride if pool.stride else pool.kernel_size, len(spatial))
        padding = _per_axis(pool.padding, len(spatial))
    elif whole:
        kernel, stride, padding = spatial, spatial, (0,) * len(spatial)
    else:
        sizes = zip(spatial, output_shape[1:], strict=False)
        kernel = tuple(size // out if out and size % out == 0 else 0 for size, out in sizes)
        stride, padding = kernel, (0,) * len(kernel)
    padded = any(padding) or hasattr(module, "amounts")
    return {
        "kernel": kernel, "square": len(set(kernel)) == 1, "stride": stride, "padding": padding, "padded": padded,
        "tiles": kernel == stride and not padded, "whole": whole, "dimensions": len(spatial),
        "window": math.prod(kernel),
    }  # fmt: skip


def _per_axis(value: object, axes: int) -> Shape:
    return tuple(value) if isinstance(value, (tuple, list)) else (int(str(value)),) * axes
