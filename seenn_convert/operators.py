"""The operators a program may hold beside PyTorch's own layers, and how each kind is treated in spikes.

Every node of a program calls a module. Linear operators act on each timestep's current as it stands, ReLU-family
activations become neurons, everything else becomes a temporal difference.
"""

from collections.abc import Sequence
from enum import Enum

import torch
from torch import Tensor, nn


class Treatment(Enum):
    """What the conversion makes of a call site."""

    LINEAR = "linear"
    SPIKING = "spiking"
    TEMPORAL_DIFFERENCE = "temporal-difference"


class Add(nn.Module):
    """``x + y`` of two tensors ``(B, *F)``, broadcast as PyTorch does."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the sum."""
        return x + y


class Subtract(nn.Module):
    """``x - y`` of two tensors ``(B, *F)``, broadcast as PyTorch does."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the difference."""
        return x - y


class Concatenate(nn.Module):
    """Join tensors along ``dim``, which is never the batch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *parts: Tensor) -> Tensor:
        """Return the joined tensor."""
        return torch.cat(parts, dim=self.dim)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"dim={self.dim}"


class Mean(nn.Module):
    """Mean over ``dims``, never the batch."""

    def __init__(self, dims: Sequence[int], keepdim: bool = False) -> None:
        super().__init__()
        self.dims, self.keepdim = tuple(dims), keepdim

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean."""
        return x.mean(dim=self.dims, keepdim=self.keepdim)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"dims={self.dims}, keepdim={self.keepdim}"


class Reshape(nn.Module):
    """Give every row the shape ``shape``; the batch stays in front."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` as ``(B, *shape)``."""
        return x.reshape(x.shape[0], *self.shape)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"shape={self.shape}"


class Permute(nn.Module):
    """Reorder the axes behind the batch; ``dims`` names all axes and begins with 0."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = tuple(dims)

    def forward(self, x: Tensor) -> Tensor:
        """Return the reordered tensor."""
        return x.permute(self.dims)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"dims={self.dims}"


class Slice(nn.Module):
    """Take ``start:end:step`` along ``dim``, never the batch."""

    def __init__(self, dim: int, start: int, end: int, step: int = 1) -> None:
        super().__init__()
        self.dim, self.start, self.end, self.step = dim, start, end, step

    def forward(self, x: Tensor) -> Tensor:
        """Return the slice."""
        index = [slice(None)] * x.dim()
        index[self.dim] = slice(self.start, self.end, self.step)
        return x[tuple(index)]

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"dim={self.dim}, start={self.start}, end={self.end}, step={self.step}"


class Pad(nn.Module):
    """Pad with a constant; ``amounts`` counts from the last axis, as ``torch.nn.functional.pad`` does."""

    def __init__(self, amounts: Sequence[int], value: float = 0.0) -> None:
        super().__init__()
        self.amounts, self.value = tuple(amounts), value

    def forward(self, x: Tensor) -> Tensor:
        """Return the padded tensor."""
        return nn.functional.pad(x, self.amounts, value=self.value)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"amounts={self.amounts}, value={self.value}"


class Affine(nn.Module):
    """``scale * x + shift`` by constants that broadcast against a row: a standing batch norm, a multiply, an add."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale.detach().clone())
        self.register_buffer("shift", shift.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled and shifted tensor."""
        return x * self.scale + self.shift

    def extra_repr(self) -> str:
        """Show the shapes of the constants."""
        return f"scale={tuple(self.scale.shape)}, shift={tuple(self.shift.shape)}"


class ClippedReLU(nn.Module):
    """``min(max(x, 0), maximum)``: ReLU6, Hardtanh from 0, clamp from 0."""

    def __init__(self, maximum: float) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, x: Tensor) -> Tensor:
        """Return the clipped tensor."""
        return x.clamp(0.0, self.maximum)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"maximum={self.maximum}"


RELU_FAMILY = (nn.ReLU, ClippedReLU, nn.LeakyReLU)
LINEAR_OPERATORS = (
    nn.Conv1d, nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.AvgPool1d, nn.AvgPool2d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Identity,
    Add, Subtract, Concatenate, Mean, Reshape, Permute, Slice, Pad, Affine,
)  # fmt: skip
HOMOGENEOUS_OPERATORS = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
"""Operators with ``f(t * x) == t * f(x)`` for ``t > 0``: their temporal difference needs no division."""


def treatment_of(module: nn.Module) -> Treatment:
    """Return how a call of ``module`` is converted; what is neither linear nor a ReLU is a temporal difference."""
    if isinstance(module, RELU_FAMILY):
        return Treatment.SPIKING
    if isinstance(module, LINEAR_OPERATORS):
        return Treatment.LINEAR
    return Treatment.TEMPORAL_DIFFERENCE
