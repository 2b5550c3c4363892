"""A batch is filled up to the floor with copies, and is otherwise let be, its order in memory too."""

import torch

from seenn_convert.rows import ROW_FLOOR, channels_last, in_memory_order, pad_rows


def test_padding_repeats_the_first_row() -> None:
    rows = torch.tensor([[1.0], [2.0]])
    assert pad_rows(rows, 4).tolist() == [[1.0], [2.0], [1.0], [1.0]]
    assert pad_rows(rows, 2) is rows
    assert len(pad_rows(rows[:0], 4)) == 0
    assert len(pad_rows(rows)) == ROW_FLOOR


def test_padding_keeps_the_order_in_memory() -> None:
    rows = channels_last(torch.rand(3, 4, 5, 6))
    padded = pad_rows(rows, 7)

    assert padded.stride() == channels_last(torch.rand(7, 4, 5, 6)).stride()
    assert torch.equal(padded[:3], rows) and torch.equal(padded[3:], rows[:1].expand(4, -1, -1, -1))


def test_what_lies_channels_last_flattens_without_a_copy() -> None:
    for values in (channels_last(torch.rand(2, 3, 4, 5)), torch.rand(2, 3, 4, 5), torch.rand(2, 3)):
        assert in_memory_order(values).flatten().data_ptr() == values.data_ptr()
