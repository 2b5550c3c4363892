"""The advice on a shape says what makes it right, and following it does."""

import math

import numpy as np
import pytest
import torch

from seenn_convert.data.shapes import shape_advice


@pytest.mark.parametrize(
    ("found", "wanted"),
    [((3, 5, 6), (5, 6, 3)), ((5, 6, 3), (3, 5, 6)), ((4, 9), (9, 4)), ((13, 1, 1), (13,)), ((28, 28), (1, 28, 28))],
)
def test_following_the_advice_gives_the_shape(found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = np.arange(2 * np.prod(found)).reshape(2, *found)
    moved = eval(shape_advice(found, wanted).split("give ")[1], {"x": x, "numpy": np, "len": len})

    assert moved.shape == (2, *wanted)


def test_axes_in_another_order_are_not_reshaped() -> None:
    """A reshape would give the shape as well, and mix the numbers."""
    x = np.arange(2 * 24).reshape(2, 2, 3, 4)
    assert shape_advice((2, 3, 4), (3, 2, 4)) == "give x.transpose(0, 2, 1, 3)"
    assert x.transpose(0, 2, 1, 3).shape == (2, 3, 2, 4)
    assert shape_advice((2, 2, 3, 4), (2, 3, 2, 4)) == "give x of shape (N, 2, 3, 2, 4)"  # which 2 is which?
    assert shape_advice((6, 4), (3, 8)) == "give x of shape (N, 3, 8)"


def test_numbers_that_cannot_be_rearranged_are_asked_for_by_shape() -> None:
    assert shape_advice((3, 32, 32), (3, 28, 28)) == "give x of shape (N, 3, 28, 28)"


def test_channels_that_move_keep_their_pixels() -> None:
    """A reshape would give the shape as well, and mix the pixels."""
    assert "moveaxis" in shape_advice((2, 3, 4), (3, 4, 2))


@pytest.mark.parametrize(("found", "wanted"), [((3, 5, 6), (5, 6, 3)), ((5, 6, 3), (3, 5, 6)), ((4, 9), (9, 4)), ((2, 3, 4), (3, 2, 4))])
def test_the_advice_for_tensors_works_with_tensors(found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = torch.arange(2 * math.prod(found)).reshape(2, *found)
    expected = eval(shape_advice(found, wanted).split("give ")[1], {"x": x.numpy(), "numpy": np})
    moved = eval(shape_advice(found, wanted, tensors=True).split("give ")[1], {"x": x})

    assert moved.tolist() == expected.tolist()
