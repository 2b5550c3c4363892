"""Operators with a module of their own: sums, shapes, constants, clips, and what acts on the parts of a row."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from seenn_convert.rows import NOTHING, Reuse, summed


@dataclass(eq=False, repr=False)
class Operator(nn.Module):
    """A module that is a dataclass: its fields are its options, each an argument of the constructor and an attribute.

    A field that is a module is a submodule, and a tensor is a buffer. So the fields say all that an artifact stores and
    a program prints.
    """

    def __new__(cls, *options: object, **named: object) -> Self:
        """Make it a module before the fields are set."""
        module = super().__new__(cls)
        nn.Module.__init__(module)
        return module

    def __post_init__(self) -> None:
        """Keep tensors as buffers, and lists as tuples."""
        for name in self.tensors():
            self.register_buffer(name, self.__dict__.pop(name).detach().clone())
        for name in self.options():
            if isinstance(value := getattr(self, name), list):
                setattr(self, name, tuple(value))

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the names of the fields that are plain data."""
        return tuple(one.name for one in fields(cls) if one.type not in (nn.Module, Tensor))

    @classmethod
    def tensors(cls) -> tuple[str, ...]:
        """Return the names of the fields that are tensors."""
        return tuple(one.name for one in fields(cls) if one.type is Tensor)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.options())


class Add(Operator):
    """``x + y`` of two tensors ``(B, *F)``, broadcast as PyTorch does."""

    reuses: ClassVar[bool] = True

    def forward(self, x: Tensor, y: Tensor, *, reuse: Reuse = NOTHING) -> Tensor:
        """Return the sum."""
        return summed(x, y, reuse)


class Subtract(Operator):
    """``x - y`` of two tensors ``(B, *F)``, broadcast as PyTorch does."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the difference."""
        return x - y


@dataclass(eq=False, repr=False)
class Concatenate(Operator):
    """Join tensors along ``dim``, which is never the batch."""

    dim: int

    def forward(self, *parts: Tensor) -> Tensor:
        """Return the joined tensor."""
        return torch.cat(parts, dim=self.dim)


@dataclass(eq=False, repr=False)
class Mean(Operator):
    """Mean over ``dims``, never the batch."""

    dims: tuple[int, ...]
    keepdim: bool = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean."""
        return x.mean(dim=self.dims, keepdim=self.keepdim)


class MeanOverFrames(Operator):
    """Mean of the frames of a recording ``(B, N, *F)``: what the ANN sees of an input that varies in time.

    In the SNN ``FrameAt`` is in its place: one frame at each timestep, with the same mean after every N of them.
    """

    def forward(self, frames: Tensor) -> Tensor:
        """Return the mean frame ``(B, *F)``."""
        return frames.mean(dim=1)


@dataclass(eq=False, repr=False)
class Reshape(Operator):
    """Give every row the shape ``shape``; the batch stays in front."""

    shape: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` as ``(B, *shape)``."""
        return x.reshape(x.shape[0], *self.shape)


@dataclass(eq=False, repr=False)
class Expand(Operator):
    """Repeat every row along its axes of size 1 until it has the shape ``shape``."""

    shape: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` as ``(B, *shape)``."""
        return x.expand(x.shape[0], *self.shape)


@dataclass(eq=False, repr=False)
class Permute(Operator):
    """Reorder the axes behind the batch; ``dims`` names all axes and begins with 0."""

    dims: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        """Return the reordered tensor."""
        return x.permute(self.dims)


@dataclass(eq=False, repr=False)
class Slice(Operator):
    """Take ``start:end:step`` along ``dim``, never the batch."""

    dim: int
    start: int
    end: int
    step: int = 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the slice."""
        index = [slice(None)] * x.dim()
        index[self.dim] = slice(self.start, self.end, self.step)
        return x[tuple(index)]


@dataclass(eq=False, repr=False)
class Pad(Operator):
    """Pad with a constant, or by ``mode`` with the tensor's own values.

    ``amounts`` counts from the last axis, as ``torch.nn.functional.pad`` does.
    """

    amounts: tuple[int, ...]
    value: float = 0.0
    mode: str = "constant"

    def forward(self, x: Tensor) -> Tensor:
        """Return the padded tensor."""
        if self.mode == "constant":
            return nn.functional.pad(x, self.amounts, value=self.value)
        return nn.functional.pad(x, self.amounts, mode=self.mode)

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        how = f"value={self.value}" if self.mode == "constant" else f"mode={self.mode}"
        return f"amounts={self.amounts}, {how}"


class PaddedLinear(nn.Linear):
    """A linear layer whose input is padded with zeros to a multiple of ``WIDTH`` features.

    ``in_features`` are the layer's own; its weight has columns of zeros for what is added.
    """

    WIDTH = 4
    """Numbers: 16 bytes in single precision, from where on matrix kernels sum every row in the same order."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__(in_features + -in_features % self.WIDTH, out_features, bias)
        self.in_features = in_features

    def forward(self, input: Tensor) -> Tensor:
        """Return ``(*, out_features)`` for ``input`` ``(*, in_features)``."""
        padded = nn.functional.pad(input, (0, self.weight.shape[1] - self.in_features))
        return nn.functional.linear(padded, self.weight, self.bias)


@dataclass(eq=False, repr=False)
class PaddedMaxPool(Operator):
    """Max pooling behind padding with minus infinity: ``pool`` is a max pooling, ``amounts`` as ``Pad`` takes them.

    One operator, since infinity cannot be summed over timesteps.
    """

    amounts: tuple[int, ...]
    pool: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled tensor."""
        result: Tensor = self.pool(nn.functional.pad(x, self.amounts, value=float("-inf")))
        return result


@dataclass(eq=False, repr=False)
class Affine(Operator):
    """``scale * x + shift`` by constants that broadcast against a row: a standing batch norm, a multiply, an add."""

    scale: Tensor
    shift: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled and shifted tensor."""
        return x * self.scale + self.shift

    def extra_repr(self) -> str:
        """Show the shapes of the constants."""
        return f"scale={tuple(self.scale.shape)}, shift={tuple(self.shift.shape)}"


@dataclass(eq=False, repr=False)
class ClippedReLU(Operator):
    """``min(max(x, 0), maximum)``: ReLU6, Hardtanh from 0, clamp from 0."""

    maximum: float

    def forward(self, x: Tensor) -> Tensor:
        """Return the clipped tensor."""
        return x.clamp(0.0, self.maximum)


@dataclass(eq=False, repr=False)
class QuantisedReLU(ClippedReLU):
    """``min(max(x, 0), maximum)``, rounded to whole multiples of ``maximum / levels``: the activation of a neuron.

    A neuron with the threshold ``maximum`` gives just this after ``levels`` timesteps of constant current. Halves are
    rounded up, as a neuron fires at its threshold; where ``to_even``, to the even multiple, as ``torch.round`` does.

    Source: Bu et al. 2022 (QCFS).
    """

    levels: int
    to_even: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError without a positive threshold or levels."""
        super().__post_init__()
        if not 0 < self.maximum < math.inf or not isinstance(self.levels, int) or self.levels < 1:
            raise ValueError(f"a quantised ReLU has a positive maximum and levels, got {self.maximum}, {self.levels}")

    def extra_repr(self) -> str:
        """Show threshold and levels."""
        return f"maximum={self.maximum:.6g}, levels={self.levels}" + (", to_even=True" if self.to_even else "")

    def forward(self, x: Tensor) -> Tensor:
        """Return the rounded tensor."""
        steps = x * (self.levels / self.maximum)
        rounded = steps.round() if self.to_even else (steps + 0.5).floor()
        return rounded.clamp(0, self.levels) * (self.maximum / self.levels)


@dataclass(eq=False, repr=False)
class GradedReLU(Operator):
    """``min(max(x, 0), maximum)`` on a skip connection, where no weights multiply it: it stays graded in the SNN."""

    maximum: float = math.inf

    def forward(self, x: Tensor) -> Tensor:
        """Return the clipped tensor."""
        return x.clamp(0.0, self.maximum) if self.maximum < math.inf else x.relu()

    def extra_repr(self) -> str:
        """Show the options as the constructor takes them."""
        return f"maximum={self.maximum}" if self.maximum < math.inf else ""


@dataclass(eq=False, repr=False)
class KeptActivation(Operator):
    """An activation that no neurons replace.

    It is kept as it was, levels of a quantised one included, so that it can become neurons again.
    """

    operator: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Return what the activation gives."""
        result: Tensor = self.operator(x)
        return result


class Analog(KeptActivation):
    """An activation of the analog front: its input is the same at every timestep."""


class Graded(KeptActivation):
    """An activation, or a place for encoders, that sends graded values, though its input varies in time."""


class Encode(Operator):
    """A place where graded values become spikes of either sign: nothing in the ANN, a layer of neurons in the SNN."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x


@dataclass(eq=False, repr=False)
class ConstantRow(Operator):
    """The same values for every row, whatever the input: a class token, a position code."""

    value: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return ``value`` once for each row of ``x``: ``(B, *value.shape)``."""
        return self.value.expand(x.shape[0], *self.value.shape)

    def extra_repr(self) -> str:
        """Show the shape."""
        return f"shape={tuple(self.value.shape)}"


@dataclass(eq=False, repr=False)
class PerPart(Operator):
    """Apply an operator to each of the ``n`` parts of a row as if it were a row: ``(B, n, *F) -> (B, n, *G)``.

    Windows of an image, or the heads of an attention, that the source folds into its batch axis.
    """

    operator: nn.Module

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the results of all parts."""
        parts = inputs[0].shape[:2]
        result: Tensor = self.operator(*(x.flatten(0, 1) for x in inputs))
        return result.reshape(*parts, *result.shape[1:])


@dataclass(eq=False, repr=False)
class RowConvolution(Operator):
    """Convolution of each row with weights of its own: ``(B, C, *S)`` and ``(B, O, C / groups, *K)`` to ``(B, O, *S)``.

    Networks write it as one grouped convolution with the rows folded into the channels.
    """

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return the convolved rows."""
        rows = x.shape[0]
        options = (self.stride, self.padding, self.dilation, rows * self.groups)
        convolve = nn.functional.conv1d if x.dim() == 3 else nn.functional.conv2d
        result: Tensor = convolve(x.flatten(0, 1).unsqueeze(0), weight.flatten(0, 1), None, *options)
        return result.reshape(rows, -1, *result.shape[2:])
