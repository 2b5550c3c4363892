"""How a call site is treated in spikes: linear, spiking, as a temporal difference, or at each timestep as it is."""

import math
from enum import Enum

from torch import nn

from seenn_convert.ir.operators import basic
from seenn_convert.ir.operators.adopted import EachStep, FirstSpikes, FirstState, HeldState, KeepState
from seenn_convert.ir.operators.aten import LINEAR, AtenOperator
from seenn_convert.ir.operators.custom import CustomOperator
from seenn_convert.ir.operators.elementwise import Recast


class Treatment(Enum):
    """What the conversion makes of a call site."""

    LINEAR = "linear"
    SPIKING = "spiking"
    TEMPORAL_DIFFERENCE = "temporal-difference"
    EACH_STEP = "each-step"


RELU_FAMILY = (nn.ReLU, basic.ClippedReLU, nn.LeakyReLU, nn.PReLU)
SPIKING_OPERATORS = (*RELU_FAMILY, basic.Encode, FirstSpikes)
"""What becomes a layer of neurons."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d)
LINEAR_OPERATORS = (
    *CONVOLUTIONS, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.AvgPool1d, nn.AvgPool2d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Identity,
    basic.Add, basic.Subtract, basic.Concatenate, basic.Mean, basic.Reshape, basic.Expand, basic.Permute, basic.Slice,
    basic.Pad, basic.Affine, basic.ConstantRow, basic.MeanOverFrames, KeepState, HeldState,
)  # fmt: skip
HOMOGENEOUS_OPERATORS = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, basic.PaddedMaxPool)
"""Operators with ``f(t * x) == t * f(x)`` for ``t > 0``: their temporal difference needs no division."""


def treatment_of(module: nn.Module) -> Treatment:
    """Return how a call of ``module`` is converted: by its temporal difference unless it is linear or spiking."""
    if isinstance(module, basic.PerPart):
        return treatment_of(module.operator)
    if isinstance(module, SPIKING_OPERATORS):
        return Treatment.SPIKING
    if isinstance(module, EachStep):
        return Treatment.EACH_STEP
    if isinstance(module, basic.Graded) and isinstance(module.operator, basic.Encode):
        return Treatment.LINEAR
    if isinstance(module, CustomOperator):
        return Treatment.LINEAR if module.linear else Treatment.TEMPORAL_DIFFERENCE
    if isinstance(module, LINEAR_OPERATORS) or (isinstance(module, AtenOperator) and module.name in LINEAR):
        return Treatment.LINEAR
    return Treatment.TEMPORAL_DIFFERENCE


def is_homogeneous(module: nn.Module) -> bool:
    """Return whether ``f(t * x) == t * f(x)`` is known to hold for ``t > 0``."""
    return isinstance(module.operator if isinstance(module, basic.PerPart) else module, HOMOGENEOUS_OPERATORS)


def passes_spikes(module: nn.Module) -> bool:
    """Return whether what a module sends is sums, averages or the largest of spikes where spikes come in."""
    if isinstance(module, EachStep):
        return is_homogeneous(module.operator)
    if isinstance(module, (FirstState, HeldState)):
        return False
    if isinstance(module, Recast):
        return True
    return treatment_of(module) is Treatment.LINEAR


def sends_spikes(module: nn.Module | None) -> bool:
    """Return whether a module of stage ANN is a place of neurons, or what they sent at the timestep before."""
    return isinstance(module, SPIKING_OPERATORS) or (isinstance(module, FirstState) and module.spikes)


def clip_of(module: nn.Module | None) -> float | None:
    """Return the value at which an activation is clipped, infinity if it is not; None if it is none or quantised."""
    if isinstance(module, basic.QuantisedReLU):
        return None
    if isinstance(module, basic.ClippedReLU):
        return module.maximum
    return math.inf if isinstance(module, nn.ReLU) else None
