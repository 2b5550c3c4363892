"""Images are known again whatever their labels and their order, also by a part of their hashes."""

import pytest
import torch
from torch import Tensor

from seenn_convert.data import fingerprint
from seenn_convert.data.adapters import as_samples
from seenn_convert.data.fingerprint import LETTERS, fingerprint_of, joined, shares_in_common

NUMBERS = torch.arange(600, dtype=torch.float32)


def hashes(*numbers: int) -> str:
    """Return those of images that show one number each."""
    return fingerprint_of(as_samples(NUMBERS[list(numbers)].reshape(-1, 1, 1, 1))).images


def test_labels_and_order_change_the_whole_and_not_the_images() -> None:
    images = NUMBERS[:5].reshape(-1, 1, 1, 1)
    data = [as_samples(images), as_samples((images, [0, 1, 2, 0, 1])), as_samples(images.flip(0))]
    found = [fingerprint_of(one) for one in data]
    assert len({one.whole for one in found}) == 3 and len({one.images for one in found}) == 1


@pytest.mark.parametrize(
    "other", [torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 2, 1), torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1, 1)]
)
def test_another_shape_or_number_is_another_image(other: Tensor) -> None:
    assert shares_in_common(hashes(0), fingerprint_of(as_samples(other)).images) == (0, 0)


def test_shares_are_of_different_images() -> None:
    assert shares_in_common(hashes(1, 2, 3, 4), hashes(3, 4, 4, 5, 6, 7, 8, 9, 10, 11)) == (2 / 4, 2 / 9)
    assert shares_in_common("", hashes(1)) == shares_in_common(hashes(1), "") == (0, 0)


def test_of_many_images_a_part_of_the_hashes_estimates_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 600 and of 300 images 100 hashes are kept; all of the 300 are among the 600, half of other 300."""
    monkeypatch.setattr(fingerprint, "MOST_KEPT", 100)
    whole, part, other = hashes(*range(600)), hashes(*range(300)), hashes(*range(150, 450))
    assert len(whole) == len(part) == 100 * LETTERS
    assert shares_in_common(part, whole)[0] == 1 and abs(shares_in_common(part, whole)[1] - 0.5) < 0.15
    assert abs(shares_in_common(part, other)[0] - 0.5) < 0.15
    assert shares_in_common(hashes(*range(10)), hashes(*range(10, 600))) == (0, 0)


def test_hashes_of_two_sets_together_are_those_of_their_union() -> None:
    assert joined(hashes(*range(20)), hashes(*range(10, 30))) == hashes(*range(30))
