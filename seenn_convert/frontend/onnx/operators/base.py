"""What an operator builder sees of an ONNX node, and the two small modules that several builders share.

The batch stays open while a file is read: every shape is worked out for the two batch sizes in ``BATCHES``, and what
differs between them depends on the batch. Shape arithmetic is thus folded like any other constant, once for each.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from seenn_convert.errors import UnsupportedOperatorError

BATCHES = (5, 7)
"""The batch sizes the graph is worked out for: two primes, so that no product of other sizes looks like them."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Activation:
    """A value computed from the image: its shape for each of ``BATCHES``, and its type.

    ``outer`` is how many times the whole batch stands in the axis that holds it: rows are the inner part of that axis.
    """

    shapes: tuple[tuple[int, ...], ...]
    dtype: torch.dtype
    outer: int = 1

    @property
    def rank(self) -> int:
        """The number of dimensions, batch included."""
        return len(self.shapes[0])

    @property
    def batch_axis(self) -> int | None:
        """The first axis whose length depends on the batch."""
        varying = (axis for axis, sizes in enumerate(zip(*self.shapes, strict=True)) if len(set(sizes)) > 1)
        return next(varying, None)

    @property
    def ahead_of_batch(self) -> int:
        """How many times the whole batch stands in the value, in front of what belongs to one image."""
        return math.prod(self.shapes[0][: self.batch_axis]) * self.outer

    @property
    def leads_with_batch(self) -> bool:
        """Whether axis 0 is the batch itself, and nothing is merged into it."""
        return tuple(shape[0] for shape in self.shapes if shape) == BATCHES

    def shape_at(self, batch: int) -> tuple[int, ...]:
        """Return the shape for another batch size; lengths are proportional to the batch or free of it."""
        pairs = zip(*self.shapes, strict=True)
        return tuple(sizes[0] if len(set(sizes)) == 1 else sizes[0] * batch // BATCHES[0] for sizes in pairs)


@dataclass(frozen=True)
class BatchValue:
    """A value that depends on the batch size but not on the image: one array for each of ``BATCHES``."""

    arrays: tuple[Array, ...]
    producer: str


Value = Activation | Array | BatchValue


@dataclass(frozen=True)
class Layer:
    """What a builder returns: the module, and which inputs of the ONNX node it is called with.

    ``outer`` is the layout of the result if the module moves the batch to another axis, else that of the input.
    """

    module: nn.Module
    operands: tuple[int, ...] = (0,)
    outer: int | None = None


@dataclass(frozen=True)
class OnnxNode:
    """One ONNX node with its attributes decoded and its inputs known as far as a file can tell.

    ``file_batch`` is the batch size the file fixes, None if it leaves it open; ``used_outputs`` are the positions
    of the outputs that something reads, of ``output_count`` that the node has.
    """

    name: str
    op_type: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: tuple[Value | None, ...]
    used_outputs: tuple[int, ...] = (0,)
    output_count: int = 1
    file_batch: int | None = None

    def refuse(self, why: str, remedy: str = "replace the operator in the model and export it again") -> Exception:
        """Return the error that lists this node; ``why`` and ``remedy`` are parts of one sentence."""
        return UnsupportedOperatorError([f"node '{self.name}' ({self.op_type}, opset {self.opset}): {why}; {remedy}"])

    def integer(self, attribute: str, default: int) -> int:
        """Return an integer attribute."""
        return int(self.attributes.get(attribute, default))

    def number(self, attribute: str, default: float) -> float:
        """Return a float attribute."""
        return float(self.attributes.get(attribute, default))

    def text(self, attribute: str, default: str) -> str:
        """Return a string attribute."""
        return str(self.attributes.get(attribute, default))

    def has(self, position: int) -> bool:
        """Tell whether an optional input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def activation(self, position: int = 0) -> Activation:
        """Return an input that must be computed from the image."""
        value = self.inputs[position] if self.has(position) else None
        if not isinstance(value, Activation):
            raise self.refuse(f"its input {position} is not computed from the image")
        return value

    def constant(self, position: int) -> Array:
        """Return an input that must be known when the file is read."""
        value = self.inputs[position] if self.has(position) else None
        if not isinstance(value, np.ndarray):
            found = "is missing" if value is None else "is computed from the image or the batch size, not a constant"
            raise self.refuse(f"its input {position} {found}", "export the model with that value as a constant")
        return value

    def shapes_given(self, position: int) -> tuple[list[int], ...]:
        """Return an input that is a shape, for each of ``BATCHES``; it may depend on the batch."""
        value = self.inputs[position] if self.has(position) else None
        arrays = value.arrays if isinstance(value, BatchValue) else (self.constant(position),) * len(BATCHES)
        return tuple([int(n) for n in array.reshape(-1)] for array in arrays)

    def optional_constant(self, position: int) -> Array | None:
        """Return an input that must be known where it is given."""
        return self.constant(position) if self.has(position) else None

    def integers(self, attribute: str, position: int | None = None) -> list[int] | None:
        """Return a list of integers, an attribute in old opsets and an input in new ones; None if absent."""
        if attribute in self.attributes:
            return [int(number) for number in self.attributes[attribute]]
        found = self.optional_constant(position) if position is not None else None
        return None if found is None else [int(number) for number in found.reshape(-1)]

    def axis(self, axis: int, rank: int | None = None) -> int:
        """Return an axis counted from the front; ``rank`` defaults to that of input 0."""
        rank = self.activation(0).rank if rank is None else rank
        if not -rank <= axis < rank:
            raise self.refuse(f"axis {axis} does not exist in an input of {rank} dimensions")
        return axis % rank

    def axis_beside_batch(self, axis: int) -> int:
        """Return an axis of input 0 counted from the front, refusing one that holds the batch."""
        axis = self.axis(axis)
        if axis == self.activation(0).batch_axis:
            raise self.refuse("it works across the images of a batch", "let each image be computed by itself")
        return axis

    def only_first_output(self) -> None:
        """Refuse if anything reads an output other than the first."""
        if self.used_outputs not in ((), (0,)):
            raise self.refuse(f"outputs {[i for i in self.used_outputs if i]} are used, only output 0 is supported")


class Compute(nn.Module):
    """A node that is one function of its inputs; constants among its operands are held, None stands for an input."""

    def __init__(self, function: Callable[..., Any], operands: Sequence[object] = (None,)) -> None:
        super().__init__()
        self.function = function
        self.operands = [None if isinstance(operand, Tensor) else operand for operand in operands]
        self.held = {i: f"constant_{i}" for i, operand in enumerate(operands) if isinstance(operand, Tensor)}
        for i, name in self.held.items():
            self.register_buffer(name, operands[i])  # type: ignore[arg-type]  # a tensor, by the line above

    def forward(self, *inputs: Tensor) -> Any:
        """Call the function with the inputs filled in between the constants."""
        operands: list[Any] = list(self.operands)
        for i, name in self.held.items():
            operands[i] = getattr(self, name)
        remaining = iter(inputs)
        return self.function(*(next(remaining) if operand is None else operand for operand in operands))

    def extra_repr(self) -> str:
        """Name the function."""
        return str(getattr(self.function, "__name__", self.function))


def repeats(array: Array, row: Array) -> bool:
    """Tell whether all rows are ``row``; products of many rows are rounded in another way for some of them."""
    if not np.issubdtype(array.dtype, np.floating):
        return bool((array == row).all())
    return bool(np.allclose(array, row, rtol=0.0, atol=1e-6 * float(np.abs(row).max(initial=0.0))))


def to_tensor(array: Array) -> Tensor:
    """Return a contiguous copy of a constant as a tensor."""
    return torch.from_numpy(np.array(array, order="C"))


def with_parameters(module: nn.Module, **arrays: Array | None) -> nn.Module:
    """Fill a module built on the meta device (so that nothing is drawn at random) with constants, without gradients."""
    for name, array in arrays.items():
        if array is None:
            continue
        if name in module._parameters:
            setattr(module, name, nn.Parameter(to_tensor(array), requires_grad=False))
        else:
            module.register_buffer(name, to_tensor(array))
    return module
