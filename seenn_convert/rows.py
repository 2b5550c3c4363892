"""How rows lie in memory, what of it may be written over, and how many a batch has at least."""

from typing import NamedTuple

import torch
from torch import Tensor

ROW_FLOOR = 16
"""Fewest rows in a batch by default. Below this, CPU matrix kernels change their order of summation with the number
of rows, and a sample's result would depend on who else is in the batch."""


class Reuse(NamedTuple):
    """Which tensors a module may write over because nobody reads them again: its current, and its state."""

    current: bool = False
    state: bool = False


NOTHING = Reuse()
"""Every tensor stays as it is."""


def into(buffer: Tensor, like: Tensor, allowed: bool) -> Tensor | None:
    """Return ``buffer`` where a result that lies in memory as ``like`` may be written into it; None for a fresh one.

    Not even where it is ``allowed`` if it lies otherwise, or if some of its numbers are one and the same in memory.
    """
    if not allowed or buffer.shape != like.shape or buffer.dtype != like.dtype or buffer.stride() != like.stride():
        return None
    return buffer if each_number_apart(buffer) else None


def summed(current: Tensor, state: Tensor, reuse: Reuse) -> Tensor:
    """Return ``current + state``, which lies in memory as the current does, into the current where that is free."""
    out = current if reuse.current and current.shape == state.shape and current.dtype == state.dtype else None
    return torch.add(current, state, out=out if out is not None and each_number_apart(out) else None)


def each_number_apart(values: Tensor) -> bool:
    """Return whether no two of the numbers are one and the same in memory, as far as that is quickly seen."""
    return values.is_contiguous() or (values.dim() == 4 and values.is_contiguous(memory_format=torch.channels_last))


def pad_rows(rows: Tensor, floor: int = ROW_FLOOR) -> Tensor:
    """Repeat the first row until there are at least ``floor`` rows; their order in memory stays.

    Where it did not, kernels would meet the ends of their vectors elsewhere, and round another way.
    """
    count = rows.shape[0]
    if count >= floor or count == 0:
        return rows
    numbers = torch.arange(floor, device=rows.device)
    return rows[torch.where(numbers < count, numbers, 0)]


def channels_last(values: Tensor) -> Tensor:
    """Return ``values`` with the second of four axes last in memory; others as they are."""
    return values.to(memory_format=torch.channels_last) if values.dim() == 4 else values


def in_memory_order(values: Tensor) -> Tensor:
    """Return ``values`` with their second axis last where it is last in memory, so that flattening copies nothing."""
    if values.dim() == 4 and not values.is_contiguous() and values.is_contiguous(memory_format=torch.channels_last):
        return values.movedim(1, -1)
    return values


def nonzero_per_row(values: Tensor) -> Tensor:
    """Return how many numbers of each row ``(B, *F)`` are not zero: ``(B,)``, in double precision, exact.

    Summing ones is many times as fast as ``torch.count_nonzero`` along an axis; below 2**24 of them, single precision
    holds their number exactly.
    """
    rows = in_memory_order(values).flatten(1)
    exact = torch.float32 if rows.shape[1] < 1 << 24 else torch.float64
    ones = torch.empty(rows.shape, dtype=exact, device=rows.device)
    return torch.ne(rows, 0, out=ones).sum(dim=1).double()


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Return ``values`` ``(B,)`` so that they broadcast against the rows of ``like`` ``(B, *F)``."""
    return values.reshape(-1, *[1] * (like.dim() - 1))
