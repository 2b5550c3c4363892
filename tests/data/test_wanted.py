"""What a model takes says how many channels its images have, and which data is refused unread."""

import contextlib

import pytest

from seenn_convert.data.preprocessing import ImageLayout, Preprocessing
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


@pytest.mark.parametrize(
    ("layout", "shape", "channels"),
    [
        ("channels_first", (3, 8, 9), 3), ("channels_last", (8, 9, 3), 3), ("no_channels", (8, 9), 1), ("flat", (72,), 1),
        ("channels_first", (1, 4, 8, 8), None), ("channels_first", None, None),
    ],
)  # fmt: skip
def test_the_channels_are_where_the_layout_says(
    layout: ImageLayout, shape: tuple[int, ...] | None, channels: int | None
) -> None:
    assert Wanted.by(Preprocessing(layout=layout), shape).channels == channels


def test_the_channels_told_stand_where_the_shape_is_not_known() -> None:
    assert Wanted.by(Preprocessing(), None, 4).channels == 4


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted((1, 4, 8, 8)), r"no images; give an .npz file with x of shape \(N, 1, 4, 8, 8\)"),
        (Wanted((7, 8, 8), 7), r"the model takes 7; give an .npz file with x of shape \(N, 7, 8, 8\)"),
    ],
)
def test_image_files_are_refused_where_they_are_no_input(wanted: Wanted, message: str) -> None:
    with pytest.raises(InputError, match=message):
        wanted.check_images("folder")


def test_labels_are_asked_for_where_they_are_needed() -> None:
    Wanted(labelled=True).check_labelled("data", True)
    Wanted().check_labelled("data", False)
    with pytest.raises(InputError, match="data has no labels"):
        Wanted(labelled=True).check_labelled("data", False)


@pytest.mark.parametrize(
    ("shape", "layout", "image", "fits"),
    [
        ((3, 8, 9), "channels_first", (8, 9, 3), True), ((3, 8, 9), "channels_first", (9, 9, 3), False),
        ((8, 9, 3), "channels_last", (3, 8, 9), True), ((8, 9), "no_channels", (8, 9), True), ((72,), "flat", (8, 9), True),
        ((72,), "flat", (8, 8), False), ((3, 8, 9), "channels_first", (8, 9), True),
    ],
)  # fmt: skip
def test_images_of_another_size_are_refused_unless_they_are_resized(
    shape: tuple[int, ...], layout: ImageLayout, image: tuple[int, ...], fits: bool
) -> None:
    Wanted.by(Preprocessing(crop=2, layout=layout), shape).check_pixels("x", image)
    with contextlib.nullcontext() if fits else pytest.raises(InputError, match="give --resize and --crop to 'convert'"):
        Wanted.by(Preprocessing(layout=layout), shape).check_pixels("x", image)
