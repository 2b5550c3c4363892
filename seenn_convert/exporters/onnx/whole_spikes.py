"""Layers that read spikes and hold weights in 8 bits, with the integer kernels of a runtime.

A spike is a small whole number times what it is worth, so its worth is multiplied into the weights, and the layer adds
whole numbers: exactly, in whatever order. The kernels of onnxruntime are fast for numbers without sign, so 0 is moved.
"""

import torch
from torch import Tensor, nn

from seenn_convert.exporters.eight_bits import LARGEST, nearly_whole, worth_of_inputs
from seenn_convert.exporters.onnx.graph import Graph, Value


def convolved_spikes(g: Graph, m: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Value, pads: list[int]) -> str | None:
    """Return the name of a convolution of spikes, without its bias; None if it cannot be written so."""
    found = _numbers(g, m, x)
    if found is None:
        return None
    numbers, scale = found
    spikes, zero = _spikes(g, x)
    weights = g.constant((numbers.short() + 128).to(torch.uint8))
    sums = g.op(
        "ConvInteger", spikes, weights, zero, g.number(128, torch.uint8), strides=list(m.stride),
        dilations=list(m.dilation), group=1, pads=pads,
    )  # fmt: skip
    return g.op("Mul", g.cast(sums, torch.float32), g.constant(scale.reshape(1, -1, *[1] * (x.rank - 2))))


def multiplied_spikes(g: Graph, m: nn.Linear, x: Value) -> str | None:
    """Return the name of the product of spikes and weights, without the bias; None if it cannot be written so."""
    found = _numbers(g, m, x)
    if found is None:
        return None
    numbers, scale = found
    spikes, zero = _spikes(g, x)
    sums = g.op("MatMulInteger", spikes, g.constant(numbers.T), zero)
    return g.op("Mul", g.cast(sums, torch.float32), g.constant(scale.reshape(-1)))


def _numbers(g: Graph, m: nn.Module, x: Value) -> tuple[Tensor, Tensor] | None:
    """Return the weights times what a spike is worth as int8 numbers and a scale for each output."""
    sent = g.sent.get(x.name)
    if sent is None or sent.most > LARGEST:
        return None
    worth = worth_of_inputs(m, sent.worth)
    return None if worth is None else nearly_whole(m, worth)


def _spikes(g: Graph, x: Value) -> tuple[str, str]:
    """Return the names of spikes as numbers of 8 bits without sign, and of the number that stands for 0."""
    sent = g.sent[x.name]
    moved = g.op("Add", sent.name, g.number(float(sent.most))) if sent.signed else sent.name
    return g.cast(moved, torch.uint8), g.number(sent.most if sent.signed else 0, torch.uint8)
