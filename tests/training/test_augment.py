"""Pictures are moved and mirrored one by one, whole pixels and nothing else; other data stays as it is."""

import torch

from seenn_convert.training.augment import FARTHEST, SMALLEST_SIDE, augmented
from seenn_convert.training.order import seeded


def pictures(count: int = 40) -> torch.Tensor:
    """Return pictures that are 0 but for one pixel in the middle row, a quarter from the left."""
    found = torch.zeros(count, 1, 16, 32)
    found[:, :, 8, 8] = 1
    return found


def places(images: torch.Tensor) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for _, _, row, column in images.nonzero()}


def test_each_picture_moves_by_itself_by_at_most_a_share_of_its_side() -> None:
    found = places(augmented(pictures(), seeded(0), mirror=False))
    most = 16 // FARTHEST
    assert {row for row, _ in found} == set(range(8 - most, 8 + most + 1))
    assert {column for _, column in found} == set(range(8 - most, 8 + most + 1))


def test_half_of_the_pictures_are_mirrored() -> None:
    moved = augmented(pictures(400), seeded(1), mirror=True)
    mirrored = sum(int(column) > 16 for _, _, _, column in moved.nonzero())
    assert 160 < mirrored < 240
    assert moved.sum() == 400


def test_the_same_seed_moves_alike_and_the_given_pictures_stay() -> None:
    given = pictures()
    before = given.clone()
    assert torch.equal(augmented(given, seeded(2), True), augmented(given, seeded(2), True))
    assert not torch.equal(augmented(given, seeded(2), True), augmented(given, seeded(3), True))
    assert torch.equal(given, before)


def test_what_is_no_picture_or_a_small_one_stays() -> None:
    rows, small = torch.rand(3, 40), torch.rand(3, 1, SMALLEST_SIDE - 1, 40)
    assert augmented(rows, seeded(0), True) is rows and augmented(small, seeded(0), True) is small
