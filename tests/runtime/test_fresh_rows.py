"""Fresh rows come in the order of the data, or the longest plans of a window first."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor

from seenn_convert.runtime.fresh_rows import WINDOW_ROWS, FreshRows


class Planner:
    """A model whose drive is the image and whose plan is the image's number."""

    device, dtype = torch.device("cpu"), torch.float32

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        return (image,)

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        (drive,) = drives
        assert drive is image
        return torch.nn.functional.one_hot(image[:, 0].long() - 1, 9).float()


def rows(plans: list[int], batch_size: int, planned: bool, capacity: int) -> FreshRows:
    images = torch.tensor(plans, dtype=torch.float32).unsqueeze(1)
    return FreshRows(Planner(), images.split(batch_size), 4, planned, capacity)


def test_without_a_plan_rows_come_in_order() -> None:
    source = rows([3, 1, 2, 9, 5], 2, False, 2)
    first, rest, nothing = source.take(3), source.take(9), source.take(1)
    assert first.drives[0].flatten().tolist() == [3, 1, 2] and first.index.tolist() == [0, 1, 2]
    assert rest.drives[0].flatten().tolist() == [9, 5] and rest.index.tolist() == [3, 4]
    assert first.planned is None and nothing.index.shape == (0,)


def test_with_a_plan_the_longest_of_a_window_come_first_and_equal_ones_in_order() -> None:
    """Capacity 1 and batches of 2: a window of 4 rows, then one of 2."""
    assert WINDOW_ROWS == 4
    source = rows([3, 1, 9, 3, 5, 7], 2, True, 1)
    taken = [source.take(1) for _ in range(6)]
    assert [int(row.index) for row in taken] == [2, 0, 3, 1, 5, 4]
    assert [int(row.planned) for row in taken] == [9, 3, 3, 1, 7, 5]
    assert [int(row.drives[0]) for row in taken] == [9, 3, 3, 1, 7, 5]


@pytest.mark.parametrize("planned", [False, True])
def test_what_is_handed_out_is_not_the_users_memory(planned: bool) -> None:
    image = torch.tensor([[2.0], [5.0], [3.0], [1.0]])
    source = FreshRows(Planner(), [image], 4, planned, 8)
    for drive in source.take(4).drives:
        drive.zero_()
    assert image.flatten().tolist() == [2, 5, 3, 1]


def test_empty_batches_are_passed_over() -> None:
    source = FreshRows(Planner(), [torch.zeros(0, 1), torch.ones(1, 1), torch.zeros(0, 1)], 4, True, 2)
    assert source.take(5).index.tolist() == [0]
