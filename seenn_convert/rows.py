"""How many rows a batch has at least, so that a sample's numbers do not depend on who else is in it."""

import torch
from torch import Tensor

ROW_FLOOR = 16
"""Fewest rows in a batch by default. Below this, CPU matrix kernels change their order of summation with the number
of rows, and a sample's result would depend on who else is in the batch."""


def pad_rows(rows: Tensor, floor: int = ROW_FLOOR) -> Tensor:
    """Repeat the first row until there are at least ``floor`` rows."""
    missing = floor - rows.shape[0]
    if missing <= 0 or rows.shape[0] == 0:
        return rows
    return torch.cat([rows, rows[:1].expand(missing, *rows.shape[1:])])
