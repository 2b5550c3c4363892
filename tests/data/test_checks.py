"""Data that does not fit an artifact is refused with the reason."""

from typing import Any

import numpy as np
import pytest
import small_artifacts as small
import torch

from seenn_convert.data.checks import (
    check_shape,
    check_steps,
    checked_labels,
    checked_names,
    classes_of,
    matched_classes,
    shape_problem,
)
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.errors import InputError
from seenn_convert.workflows.convert.run import convert


def test_labels_that_fit_are_returned() -> None:
    data = small.dataset()
    assert torch.equal(checked_labels(data, 3), data.labels)
    assert classes_of(small.artifact().snn) == 3


def test_missing_labels() -> None:
    with pytest.raises(InputError, match=r"bars\.npz has no labels; evaluation needs"):
        checked_labels(small.dataset(labelled=False), 3)


@pytest.mark.parametrize("label", [3, 17, -1])
def test_a_label_out_of_range(label: int) -> None:
    pixels, labels = small.draw(5, 1)
    labels[2] = label
    with pytest.raises(InputError, match=rf"label {label} is out of range, the model has 3 classes \(0 to 2\)"):
        checked_labels(small.as_dataset(pixels, labels), 3)


def test_images_of_another_shape() -> None:
    data = small.as_dataset(torch.zeros(4, 1, 9, 9), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(InputError, match=r"shape \(1, 9, 9\), the model takes \(1, 8, 8\)"):
        check_shape(data, small.artifact().snn.input_shape)
    check_shape(small.dataset(), small.artifact().snn.input_shape)


def named(names: tuple[str, ...]) -> Dataset:
    pixels, labels = small.draw(12, 1)
    return Dataset(ImageSource("bars", pixels, labels % len(names), names), Preprocessing(), range(12), small.SHAPE)


def test_classes_are_matched_by_name_where_both_are_known() -> None:
    data = named(("left", "middle", "right"))
    assert matched_classes(data, ("right", "left", "middle"), 3).labels.tolist() == [
        (label + 1) % 3 for label in data.labels.tolist()
    ]
    with pytest.raises(InputError, match="does not know the classes middle"):
        matched_classes(data, ("left", "right", "up"), 3)
    numbers = small.dataset()
    known = matched_classes(numbers, ("x", "y", "z"), 3)
    assert known.class_names == ("x", "y", "z") and known.labels.tolist() == numbers.labels.tolist()


def test_class_folders_stand_for_outputs_only_if_there_is_one_each() -> None:
    data = named(("left", "right"))
    assert matched_classes(data, None, 2) is data
    with pytest.raises(InputError, match="2 named classes for the model's 3"):
        matched_classes(data, None, 3)
    assert matched_classes(data, ("left", "middle", "right"), 3).labels.unique().tolist() == [0, 2]


def test_folders_named_by_numbers_are_the_outputs_with_these_numbers() -> None:
    data = named(("1", "4"))
    assert matched_classes(data, None, 6).labels.tolist() == [(1, 4)[label] for label in data.labels.tolist()]
    with pytest.raises(InputError, match=r"folders named by the numbers of their outputs \(0 to 3\)"):
        matched_classes(data, None, 4)


@pytest.mark.parametrize(("names", "reason"), [
    ("cat", "one text was given for the model's 3 outputs"),
    (["a", "b"], "2 class names were given for the model's 3 outputs"),
    (["a", "b", "a"], "each a different one; change 'a'"),
    (["a", 2, None], "must be printable text, each a different one; change 2, None"),
    (["a", "b\x1b[31m", "\ud800"], "change 'b\\\\x1b"),
])  # fmt: skip
def test_class_names_that_are_none(names: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        checked_names(names, 3)
    assert checked_names(np.array(["a", "b", "c"]), 3) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("pixels", "layout", "shape", "advice"),
    [
        ((1, 9, 9), "channels_first", (1, 8, 8), "give --resize 8 --crop 8 to 'convert', or other data"),
        ((3, 9, 9), "channels_last", (8, 8, 3), "give --resize 8 --crop 8 to 'convert', or other data"),
        ((1, 9, 9), "flat", (64,), "give --resize 8 --crop 8 to 'convert', or other data"),
        ((1, 9, 9), "flat", (63,), "give images of that size, or an .npz file with x of shape (N, 63)"),
        ((3, 9, 9), "channels_first", (3, 8, 6), "give images of that size, or an .npz file with x of shape (N, 3, 8, 6)"),
        ((3, 9, 9), "channels_first", (1, 9, 9), "open_dataset(..., channels=1) reads them so, or give other data"),
        ((2, 1, 9, 9), "channels_first", (1, 2, 9, 9), "give x.reshape(len(x), 1, 2, 9, 9)"),
    ],
)
def test_the_advice_on_pixels_of_another_shape_is_one_that_works(
    pixels: tuple[int, ...], layout: Any, shape: tuple[int, ...], advice: str
) -> None:
    images = torch.zeros(4, *pixels, dtype=torch.uint8)
    data = Dataset.of(ImageSource("bars", images), Preprocessing(layout=layout))
    problem = shape_problem(data, shape)

    assert problem is not None and problem.endswith(f"the model takes {shape}; {advice}")
    if "--crop 8" in advice:
        resized = Dataset.of(data.source, Preprocessing(resize=8, crop=8, layout=layout))
        assert shape_problem(resized, shape) is None


@pytest.mark.parametrize(
    ("shape", "given", "refused"),
    [
        ((13,), Preprocessing(resize=8), True),
        ((13,), Preprocessing(crop=8), True),
        ((3, 4, 5, 6), Preprocessing(resize=8), True),
        ((13,), Preprocessing(mean=(0.5,)), False),
        ((13,), None, False),
        ((64,), Preprocessing(resize=8), False),  # a square image in a row
        ((1, 8, 8), Preprocessing(resize=8), False),
    ],
)
def test_a_resize_of_what_is_no_image_is_refused(
    shape: tuple[int, ...], given: Preprocessing | None, refused: bool
) -> None:
    data = Dataset.of(ImageSource("x.npz", torch.zeros(4, *shape)), Preprocessing())
    if not refused:
        check_steps(data, given, shape)
        return
    with pytest.raises(InputError, match=r"no images: nothing can be resized or cropped; leave out --resize and --crop"):
        check_steps(data, given, shape)


def test_a_conversion_refuses_it() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(13, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
    for shape in (None, (13,)):
        with pytest.raises(InputError, match="leave out --resize and --crop"):
            convert(model, torch.zeros(40, 13), preprocessing=Preprocessing(resize=8), input_shape=shape)
