"""The advice on a shape says what makes it right, and following it does."""

import numpy as np
import pytest

from seenn_convert.data.shapes import shape_advice


@pytest.mark.parametrize(
    ("found", "wanted"),
    [((3, 5, 6), (5, 6, 3)), ((5, 6, 3), (3, 5, 6)), ((4, 9), (9, 4)), ((13, 1, 1), (13,)), ((28, 28), (1, 28, 28))],
)
def test_following_the_advice_gives_the_shape(found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = np.arange(2 * np.prod(found)).reshape(2, *found)
    moved = eval(shape_advice(found, wanted).split("give ")[1], {"x": x, "numpy": np, "len": len})

    assert moved.shape == (2, *wanted)


def test_numbers_that_cannot_be_rearranged_are_asked_for_by_shape() -> None:
    assert shape_advice((3, 32, 32), (3, 28, 28)) == "give x of shape (N, 3, 28, 28)"


def test_channels_that_move_keep_their_pixels() -> None:
    """A reshape would give the shape as well, and mix the pixels."""
    assert "moveaxis" in shape_advice((2, 3, 4), (3, 4, 2))
