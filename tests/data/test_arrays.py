"""Arrays from memory: what the npz reader never meets (see also its tests)."""

import re
import warnings

import numpy as np
import pytest
import torch

from seenn_convert.data.arrays import class_indices, images_of
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


def test_floats_of_any_rank_stay_as_they_are_and_share_memory() -> None:
    x = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)

    images = images_of("mine", x)

    assert images.shape == (4, 7)
    x[2, 3] = 9.0
    assert images[2, 3] == 9.0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_read_only_and_reversed_arrays_are_taken_without_a_word(dtype: type) -> None:
    x = np.arange(2 * 3 * 3, dtype=dtype).reshape(2, 1, 3, 3)
    frozen = x.copy()
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(images_of("mine", frozen), torch.from_numpy(x))
        assert torch.equal(images_of("mine", x[..., ::-1]), torch.from_numpy(x[..., ::-1].copy()))


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros(0), np.float32(1.0)])
def test_nothing_is_refused(x: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"mine: x of shape .* is empty"):
        images_of("mine", np.asarray(x))


@pytest.mark.parametrize("y", [[0.0, 1.0], [False, True], [[0], [1]], [[0.0], [1.0]]])
def test_labels_may_be_booleans_whole_floats_and_a_column(y: list) -> None:
    assert class_indices("mine", np.array(y), 2).tolist() == [0, 1]


@pytest.mark.parametrize("y", [[0.0, 0.5], [0.0, np.nan], [0.0, np.inf], [1e30, 0.0]])
def test_floats_that_are_no_class_indices_are_refused(y: list) -> None:
    with pytest.raises(InputError, match="not all whole"):
        class_indices("mine", np.array(y), 2)


def test_labels_of_another_kind_or_number_are_refused() -> None:
    assert class_indices("mine", np.array([2, 0], np.uint8), 2).tolist() == [2, 0]
    for y, message in ((np.full(2, 0.5), "dtype float64"), (np.zeros(3, int), "holds 2 images"), (np.array([0, -1]), r"y\[1\]")):
        with pytest.raises(InputError, match=message):
            class_indices("mine", y, 2)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (np.zeros(12, np.float32), None),
        (np.zeros(12, np.float32), (12,)),
        (np.zeros((8, 4), np.float32), (8, 4)),
        (np.zeros((3, 8, 8), np.float32), (3, 8, 8)),
        (np.zeros((1, 8, 8), np.float32), (1, 8, 8)),
        (np.zeros((3, 8, 8), np.uint8), (3, 8, 8)),
        (np.zeros(12, np.uint8), (12,)),
    ],
)
def test_one_input_alone_is_told_to_lack_the_axis_of_samples(x: np.ndarray, shape: tuple[int, ...] | None) -> None:
    wanted = Wanted.by(Preprocessing(), shape)
    with pytest.raises(InputError, match=r"has no axis of samples; give x\[None\]"):
        images_of("mine", x, wanted)
    assert len(images_of("mine", x[None], wanted)) == 1  # the advice works


def test_one_grey_image_of_bytes_has_its_axis_of_samples() -> None:
    images = images_of("mine", np.zeros((1, 8, 8), np.uint8), Wanted.by(Preprocessing(), (1, 8, 8)))
    assert images.shape == (1, 1, 8, 8)


def test_python_objects_are_named_and_what_makes_numbers_of_them() -> None:
    y, x = np.array([0, 1], dtype=object), np.array([[0.5, 1.0]], dtype=object)
    with pytest.raises(InputError, match=r"mine: y holds Python objects; save y\.astype\(int\)"):
        class_indices("mine", y, 2)
    with pytest.raises(InputError, match=r"mine: x holds Python objects; save x\.astype\('float32'\)"):
        images_of("mine", x)
    assert class_indices("mine", y.astype(int), 2).tolist() == [0, 1]
    assert images_of("mine", x.astype("float32")).tolist() == [[0.5, 1.0]]


def test_the_advice_on_channels_fits_the_kind_of_data() -> None:
    x = np.zeros((2, 8, 6, 3), np.float32)
    for wanted, words in ((Wanted(channels=3), "numpy.moveaxis(x, -1, 1)"), (Wanted(channels=3, tensors=True), "x.movedim(-1, 1)")):
        with pytest.raises(InputError, match=re.escape(words)):
            images_of("mine", x, wanted)
