"""Weights in 8 bits: whole numbers up to 127 times a scale for each output channel, in single precision exactly.

A scale has 17 significant bits, so a whole number of 7 bits times a scale is a number of single precision. A rounded
weight therefore says itself what its scale is, the largest number of its channel over 127, and is stored without loss.
"""

import copy
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.ir.operators import PaddedLinear

LARGEST, SCALE_BITS = 127, 17
LEAST_SCALE = 2.0**-100
"""Of channels whose weights are all 0, and of weights so small that whole numbers of them would be lost."""

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED, nn.Linear, PaddedLinear)


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """What weights in 8 bits did to a network.

    Attributes:
        weight_bits: Bits of a weight.
        exits: Whether temperatures and exit thresholds were ``fitted`` to the rounded network, or ``kept``.
        fitted_images: Images that the exits were fitted to.
        judged_images: Other images, on which the two networks were compared; 0 without images.
        answers_changed: How many of them have another answer.
        exits_changed: How many of them leave at another timestep.
        accuracy: Before and after on them, None without labels.
        average_timesteps: Before and after on them.
        notes: What a user should know.
    """

    weight_bits: int = 8
    exits: Literal["fitted", "kept"]
    fitted_images: int = 0
    judged_images: int = 0
    answers_changed: int | None = None
    exits_changed: int | None = None
    accuracy: tuple[float, float] | None = None
    average_timesteps: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def rounded(artifact: Artifact) -> Artifact:
    """Return the network with the weights of its layers in 8 bits, and without its certificate, which is about another.

    Biases, thresholds and the policy head stay as they are.
    """
    snn = copy.deepcopy(artifact.snn)
    assert snn.stem is not None
    with torch.no_grad():
        for graph in (snn.stem, snn.graph_module):
            for module in graph.modules():
                if isinstance(module, WEIGHTED):
                    module.weight.copy_(on_grid(module.weight, channel_axis(module)))
    return replace(artifact, snn=snn, certificate=None)


def channel_axis(module: nn.Module) -> int:
    """Return the axis of a layer's weights that is its output channels."""
    return 1 if isinstance(module, TRANSPOSED) else 0


def on_grid(weight: Tensor, axis: int) -> Tensor:
    """Return weights rounded to whole numbers times a scale for each channel along ``axis``; rounding twice is once."""
    scale = _scale(weight, axis)
    return ((weight.double() / scale).round() * scale).to(weight.dtype)


def whole_numbers(weight: Tensor, axis: int) -> tuple[Tensor, Tensor] | None:
    """Return int8 numbers and scales, broadcastable, whose product is ``weight`` to the bit; None if there are none."""
    scale = (_largest(weight, axis) / LARGEST).float()
    scale = torch.where(scale == 0, 1.0, scale)
    whole = (weight.double() / scale.double()).round()
    exact = bool((whole.abs() <= LARGEST).all()) and torch.equal(whole.float() * scale, weight)
    return (whole.to(torch.int8), scale) if exact else None


def _scale(weight: Tensor, axis: int) -> Tensor:
    """Return scales in double precision, rounded up to ``SCALE_BITS`` significant bits."""
    mantissa, exponent = torch.frexp(_largest(weight, axis) / LARGEST)
    scale = torch.ldexp((mantissa * 2**SCALE_BITS).ceil() / 2**SCALE_BITS, exponent)
    return scale.clamp(min=LEAST_SCALE)


def _largest(weight: Tensor, axis: int) -> Tensor:
    """Return the largest absolute weight of each channel in double precision, broadcastable to the weights."""
    others = [place for place in range(weight.dim()) if place != axis]
    return weight.detach().double().abs().amax(dim=others, keepdim=True)
