"""Where the batch axis is in a value of an exported graph, and how a program holds that value: batch first.

Networks move the batch behind other axes, or fold parts of a row (windows, heads) into it. A program never does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

STAND_IN = 7919
"""A prime that stands for a batch of open size: an axis holds the batch where it divides the size."""


@dataclass(frozen=True)
class Layout:
    """The exported axis ``axis`` has the size ``outer * B * inner``.

    The program holds the value as ``(B, *axes before, outer, inner, *axes behind)``, without ``outer`` or ``inner``
    where they are 1.
    """

    axis: int = 0
    outer: int = 1
    inner: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether the exported value is batch first already."""
        return self == PLAIN

    @property
    def has_parts(self) -> bool:
        """Whether parts of a row are folded into a leading batch axis."""
        return self.axis == 0 and self.outer == 1 and self.inner > 1

    def positions(self, rank: int) -> list[tuple[int, ...]]:
        """Return, for each exported axis, the program's axes that hold it, the batch left out."""
        found, position = [], 1
        for axis in range(rank):
            width = (self.outer > 1) + (self.inner > 1) if axis == self.axis else 1
            found.append(tuple(range(position, position + width)))
            position += width
        return found

    def shape(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return the program's shape, without the batch, of a value of exported ``sizes``."""
        folded = [size for size in (self.outer, self.inner) if size > 1]
        return (*sizes[: self.axis], *folded, *sizes[self.axis + 1 :])

    def row(self, constant: Tensor, rank: int) -> Tensor | None:
        """Return ``constant`` so that it broadcasts against a row of the program; None if rows would differ.

        Args:
            constant: Broadcasts against an exported value of ``rank`` axes that has this layout.
            rank: Number of exported axes.
        """
        axis = self.axis - (rank - constant.dim())
        if axis < 0:
            return constant
        first = constant.narrow(axis, 0, 1)
        if constant.shape[axis] != 1 and not torch.equal(first.expand_as(constant), constant):
            return None
        width = (self.outer > 1) + (self.inner > 1)
        return first.reshape(*constant.shape[:axis], *[1] * width, *constant.shape[axis + 1 :])


PLAIN = Layout()


def after_view(layout: Layout, before: Sequence[int], after: Sequence[int], batch: int) -> Layout | None:
    """Return the layout of a view, None if it takes rows apart.

    A view keeps the order of the numbers, so as many of them lie in front of the batch, and behind it, as before. Where
    several axes may hold a batch of one row, it is the one with the least folded in front of the batch, and not the
    last, which holds features.

    Args:
        layout: Of the tensor that is viewed.
        before: Its exported sizes.
        after: Sizes of the view.
        batch: Size of the batch in both.
    """
    if math.prod(before) != math.prod(after):
        return None
    front, found = math.prod(before[: layout.axis]) * layout.outer, []
    for axis, size in enumerate(after):
        outer, rest = divmod(front, math.prod(after[:axis]))
        if rest == 0 and size % (batch * outer) == 0:
            found.append(Layout(axis, outer, size // (batch * outer)))
    last = len(after) - 1
    return min(found, key=lambda one: (one.axis == last, one.outer), default=None)


def sizes_of(value: fx.Node | Tensor, batch: int) -> tuple[int, ...]:
    """Return the exported sizes of a node's result, or of a tensor; ``batch`` stands for a batch of open size.

    Raises:
        ValueError: An axis depends on something else than the batch.
    """
    tensor: Tensor = value.meta["val"] if isinstance(value, fx.Node) else value
    return tuple(_number(size, batch) for size in tensor.shape)


def size_for_one_row(size: int | torch.SymInt) -> int | None:
    """Return a size; of an open batch, that of the one row that constants are made for. None if it depends on more."""
    if isinstance(size, int):
        return size
    symbols = size.node.expr.free_symbols
    return int(size.node.expr.subs({symbol: 1 for symbol in symbols})) if len(symbols) == 1 else None


def batch_of(image: fx.Node) -> int:
    """Return the size of the batch that an exported graph was made for, ``STAND_IN`` where it is open."""
    return _number(image.meta["val"].shape[0], STAND_IN)


def _number(size: int | torch.SymInt, batch: int) -> int:
    if isinstance(size, int):
        return size
    expression = size.node.expr
    if size.node.shape_env is not None:  # the model's own code may have fixed an open size later on
        expression = size.node.shape_env.replace(expression)
    if free_unbacked_symbols(expression):
        raise ValueError(f"its size {expression} depends on the numbers of a tensor")
    if len(expression.free_symbols) > 1:
        raise ValueError(f"its size {expression} is not a multiple of the batch")
    return int(expression.subs({symbol: batch for symbol in expression.free_symbols}))
