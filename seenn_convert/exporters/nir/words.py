"""Why NIR cannot say what a module does, and what helps."""

from torch import nn

from seenn_convert.ir import operators
from seenn_convert.ir.operators.step import FrameAt
from seenn_convert.neurons.layers import (
    EncodingNeuron,
    GroupEncoder,
    MultiLevelEncoder,
    Neuron,
    TrackingEncoder,
)

GRADED = (operators.Analog, operators.Graded, operators.GradedReLU)
ENCODERS = (EncodingNeuron, GroupEncoder, MultiLevelEncoder, TrackingEncoder)


class InexpressibleError(Exception):
    """A module that NIR cannot say.

    Attributes:
        reason: What it cannot say.
        remedy: What the user can do.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def refused(module: nn.Module) -> InexpressibleError:
    """Return why a module of a class that NIR has no word for cannot be written."""
    inner = _inner(module)
    if isinstance(module, GRADED):
        return InexpressibleError(
            "it sends graded values, and all values in a NIR file are spikes",
            "convert with --front none --skips spiking --depthwise spiking",
        )
    if isinstance(module, ENCODERS):
        return InexpressibleError("it sends spikes of either sign", "convert with --encode never")
    if isinstance(module, Neuron):
        return InexpressibleError("its spikes are more than 0 and 1", "convert with --neuron if")
    if isinstance(module, FrameAt):
        return InexpressibleError("it reads recordings, frame by frame", "export with --to onnx")
    if isinstance(inner, (*operators.HOMOGENEOUS_OPERATORS, nn.MaxPool1d, nn.MaxPool2d)):
        return InexpressibleError("NIR has no max pooling", "train the network with average pooling")
    if isinstance(inner, operators.Concatenate):
        return InexpressibleError("NIR has no concatenation", "replace it by a sum")
    name = type(inner).__name__
    return InexpressibleError(f"NIR has no word for {name}", "leave it out of the network, or export with --to onnx")


def _inner(module: nn.Module) -> nn.Module:
    """Return the operator that a temporal difference, or another module of a step, stands for."""
    while isinstance(inner := getattr(module, "operator", None), nn.Module):
        module = inner
    return module
