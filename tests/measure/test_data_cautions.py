"""Data that may have been meant otherwise is told."""

import pytest
import torch

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.measure.data_cautions import data_cautions


def data(images: torch.Tensor, names: tuple[str, ...] | None = None) -> Dataset:
    return Dataset.of(ImageSource("data", images, class_names=names), Preprocessing())


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (tuple(sorted(map(str, range(12)))), True),
        (("1", "10", "2"), True),
        (tuple(map(str, range(10))), False),
        (("00", "01", "02"), False),
        (("1", "10", "2", "cat"), False),
        (None, False),
    ],
)
def test_numbers_that_are_sorted_as_text_are_told(names: tuple[str, ...] | None, told: bool) -> None:
    assert [one.code for one in data_cautions(data(torch.zeros(2, 1, 4, 4), names))] == ["class_order"] * told


def test_an_order_that_the_user_states_is_not_doubted() -> None:
    named = data(torch.zeros(2, 1, 4, 4), ("1", "10", "2")).with_classes(("1", "10", "2"))

    assert not list(data_cautions(named))


@pytest.mark.parametrize(
    ("shape", "kind", "told"),
    [((9,), torch.uint8, True), ((1, 2, 4, 4), torch.uint8, True), ((9,), torch.float32, False), ((1, 4, 4), torch.uint8, False)],
)
def test_bytes_that_are_no_image_are_told_to_be_read_as_pixels(
    shape: tuple[int, ...], kind: torch.dtype, told: bool
) -> None:
    found = [one.code for one in data_cautions(data(torch.zeros(2, *shape, dtype=kind)))]

    assert found == ["bytes_as_pixels"] * told
