"""Nodes of NIR from layers and their scales, in the form of a reader."""

import torch
from torch import Tensor, nn

from seenn_convert.exporters.nir.forms import Form
from seenn_convert.exporters.nir.graph import (
    Convolution,
    Dense,
    Edge,
    Integrator,
    Neurons,
    Node,
    Pool,
    Scale,
    Synaptic,
    Threshold,
)
from seenn_convert.exporters.nir.layers import Shape, pair
from seenn_convert.exporters.nir.words import InexpressibleError
from seenn_convert.ir import operators

Pair = tuple[int, int]

KEEPS = 2.0**24
"""Timesteps in which a synaptic neuron loses its potential: in single precision one timestep loses nothing of it."""

BELOW_ONE = 1 - 2.0**-24
"""The largest number in single precision below 1: what is above it is at least 1."""


def by_channel(value: Tensor, shape: Shape) -> Tensor:
    """Return ``value``, which broadcasts to a row, with one entry per channel and axes of size 1 behind.

    Raises:
        InexpressibleError: It differs between positions of a channel.
    """
    rows = value.double().expand(shape).reshape(shape[0], -1)
    if bool((rows != rows[:, :1]).any()):
        raise InexpressibleError("it has constants that differ by position", "use constants per channel")
    return rows[:, 0].reshape(-1, *(1 for _ in shape[1:]))


def diagonal(factor: Tensor, bias: Tensor | None, shape: Shape) -> Node:
    """Return a layer that multiplies each channel of a row of ``shape`` by ``factor`` and adds ``bias``."""
    channels = shape[0]
    weight = torch.diag(by_channel(factor, shape).flatten())
    added = torch.zeros(channels) if bias is None else by_channel(bias, shape).flatten()
    if len(shape) == 1:
        return Dense(weight.float(), added.float())
    ones = tuple(1 for _ in shape[1:])
    weight = weight.reshape(channels, channels, *ones)
    return Convolution(weight.float(), added.float(), ones, tuple(0 for _ in ones), ones)


def weighted(module: nn.Module, before: Shape, after: Shape, scale: Tensor, wanted: Tensor, bias: Tensor) -> Node:
    """Return a layer with weights that takes values in units of ``scale`` and sends them in units of ``wanted``.

    Args:
        module: The layer.
        before: Shape of a row that it reads in the file; three axes for a linear layer on a map.
        after: Shape of a row that it sends in the file.
        scale: Of its input, with an entry per channel.
        wanted: Of its output, with an entry per channel.
        bias: What is added to its own bias, broadcastable to a row that it sends.
    """
    if isinstance(module, operators.Affine):
        factor, shift = by_channel(module.scale, before), by_channel(module.shift, before)
        return diagonal(factor * scale / wanted, (shift + by_channel(bias, after)) / wanted, after)
    assert isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d))
    weight, out = module.weight.detach().double(), wanted.flatten()
    own = torch.zeros(()) if module.bias is None else module.bias.detach().double()
    added = ((own + by_channel(bias, after).flatten()) / out).expand(after[0]).float()
    if isinstance(module, nn.Linear):
        weight = weight[:, : module.in_features].reshape(-1, *before) * scale
        weight = (weight / out.reshape(-1, *(1 for _ in before))).float()
        ones = tuple(1 for _ in before[1:])
        return Dense(weight, added) if not ones else Convolution(weight, added, ones, tuple(0 for _ in ones), ones)
    groups = module.groups
    inputs = scale.expand(before[0], *scale.shape[1:]).reshape(groups, 1, -1).expand(-1, len(weight) // groups, -1)
    axes = tuple(1 for _ in module.kernel_size)
    weight = weight * inputs.reshape(len(weight), -1, *axes) / out.reshape(-1, 1, *axes)
    padding = tuple(int(one) for one in module.padding)
    return Convolution(weight.float(), added, module.stride, padding, module.dilation, groups)


def formed(node: Node, form: Form) -> Node:
    """Return a convolution as a reader takes it."""
    if not isinstance(node, Convolution):
        return node
    if len(node.stride) == 1 and not form.one_axis:
        raise InexpressibleError("this reader has no convolution of one axis", "export for another reader (--reader)")
    node = _without_groups(node)
    if any(one > 1 for one in node.dilation) and not form.dilation:
        node = _without_dilation(node)
    return _squared(node)


def _without_groups(node: Convolution) -> Convolution:
    """Return a convolution with zeros between its groups, since nir cannot read back what it writes of others."""
    if node.groups == 1:
        return node
    parts = node.weight.chunk(node.groups)
    share, count = node.weight.shape[1], node.weight.shape[1] * node.groups
    weight = node.weight.new_zeros(len(node.weight), count, *node.weight.shape[2:])
    for number, part in enumerate(parts):
        rows = slice(number * len(part), (number + 1) * len(part))
        weight[rows, number * share : (number + 1) * share] = part
    return Convolution(weight, node.bias, node.stride, node.padding, node.dilation)


def _without_dilation(node: Convolution) -> Convolution:
    weight = node.weight
    sizes = [(size - 1) * step + 1 for size, step in zip(weight.shape[2:], node.dilation, strict=True)]
    spread = weight.new_zeros(*weight.shape[:2], *sizes)
    spread[(..., *(slice(None, None, step) for step in node.dilation))] = weight  # type: ignore[index]
    return Convolution(spread, node.bias, node.stride, node.padding, tuple(1 for _ in sizes), node.groups)


def _squared(node: Convolution) -> Convolution:
    """Return a convolution with a square kernel, since nir infers the shape behind any other one wrongly."""
    sizes = tuple(node.weight.shape[2:])
    if len(set(sizes)) == 1:
        return node
    missing = [max(sizes) - size for size in sizes]
    if any(one % 2 for one in missing) or any(one != 1 for one in node.dilation):
        raise InexpressibleError(
            "its kernel is not square, and nir infers the shape behind it wrongly",
            "use a kernel whose sides differ by an even number, without dilation, or a square one",
        )
    around = [half for one in reversed(missing) for half in (one // 2, one // 2)]
    weight = nn.functional.pad(node.weight, around)
    padding = tuple(one + more // 2 for one, more in zip(node.padding, missing, strict=True))
    return Convolution(weight, node.bias, node.stride, padding, node.dilation, node.groups)


def pooling(module: nn.Module, before: Shape, after: Shape, form: Form) -> tuple[Node, float]:
    """Return a pooling, and what the scale of its input is multiplied by behind it."""
    kernel, stride, padding, divisor = _window(module, before, after)
    count = kernel[0] * kernel[1]
    if form.pool == "mean":
        return Pool(kernel, stride, padding, mean=True), count / divisor
    if form.pool == "sum" and not any(padding):
        return Pool(kernel, stride, padding, mean=False), 1 / divisor
    weight = torch.eye(before[0])[:, :, None, None].expand(-1, -1, *kernel) / divisor
    written = Convolution(weight.contiguous(), torch.zeros(before[0]), stride, padding, (1, 1))
    return _squared(written), 1.0


def _window(module: nn.Module, before: Shape, after: Shape) -> tuple[Pair, Pair, Pair, int]:
    """Return kernel, stride and padding of a pooling, and what the sum of a window is divided by."""
    if isinstance(module, nn.AvgPool2d):
        kernel = pair(module.kernel_size)
        divisor = module.divisor_override or kernel[0] * kernel[1]
        return kernel, pair(module.stride), pair(module.padding), divisor
    sizes = after[1:] if isinstance(module, nn.AdaptiveAvgPool2d) else (1, 1)
    kernel = before[1] // sizes[0], before[2] // sizes[1]
    return kernel, kernel, (0, 0), kernel[0] * kernel[1]


def neurons(name: str, start: Tensor, form: Form) -> tuple[str, dict[str, Node], list[Edge]]:
    """Return neurons with a threshold of 1: the node that takes their input, the nodes, the edges among these.

    Their spikes leave the node that is called ``name``.

    Args:
        name: Of the layer.
        start: Membrane potential before the first timestep, in thresholds, of the full shape.
        form: Of the reader.
    """
    threshold = BELOW_ONE if form.strict else 1.0
    if form.neurons == "if":
        return name, {name: Neurons(start, threshold, form.strict, 1 / form.dt)}, []
    if form.neurons == "synaptic":
        return name, {name: Synaptic(start, threshold, form.dt, KEEPS * form.dt, KEEPS)}, []
    ones, below = torch.ones_like(start), torch.full_like(start, -1.0)
    entry, back = f"{name}_v", f"{name}_reset"
    level = torch.nextafter(1 - start, below)
    nodes: dict[str, Node] = {entry: Integrator(ones), name: Threshold(level), back: Scale(-ones)}
    return entry, nodes, [(entry, name), (name, back), (back, entry)]
