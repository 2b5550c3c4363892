"""How rows lie in memory, and how many a batch has at least."""

import torch
from torch import Tensor

ROW_FLOOR = 16
"""Fewest rows in a batch by default. Below this, CPU matrix kernels change their order of summation with the number
of rows, and a sample's result would depend on who else is in the batch."""


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
