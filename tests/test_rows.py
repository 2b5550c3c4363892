"""A batch is filled up to the floor with copies, and is otherwise let be."""

import torch

from seenn_convert.rows import ROW_FLOOR, pad_rows


def test_padding_repeats_the_first_row() -> None:
    rows = torch.tensor([[1.0], [2.0]])
    assert pad_rows(rows, 4).tolist() == [[1.0], [2.0], [1.0], [1.0]]
    assert pad_rows(rows, 2) is rows
    assert len(pad_rows(rows[:0], 4)) == 0
    assert len(pad_rows(rows)) == ROW_FLOOR
