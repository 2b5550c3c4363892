"""Arrays from memory: what the npz reader never meets (see also its tests)."""

import warnings

import numpy as np
import pytest
import torch

from seenn_convert.data.arrays import class_indices, images_of
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


@pytest.mark.parametrize("x", [np.zeros((0, 3)), np.zeros(3), np.float32(1.0)])
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
