"""What guessing would be right on, and what is clearly more or less."""

import pytest
import torch

from seenn_convert.measure.chance import below_chance, most_frequent, near_chance


@pytest.mark.parametrize(
    ("share", "classes", "expected"),
    [(0.0, 3, True), (0.362, 3, True), (0.39, 3, True), (0.41, 3, False), (0.54, 2, True), (0.56, 2, False)],
)
def test_near_chance_is_a_tenth_of_the_way_to_always_right(share: float, classes: int, expected: bool) -> None:
    assert near_chance(share, 1 / classes) is expected


@pytest.mark.parametrize(
    ("right", "images", "classes", "expected"),
    [
        (0, 160, 3, True),
        (19, 160, 2, True),
        (48, 160, 3, False),  # 30 %
        (0, 10, 3, False),  # of few images, none may be right by chance
        (0, 200, 100, False),
        (80, 160, 2, False),
    ],
)
def test_less_than_chance_is_more_than_bad_luck(right: int, images: int, classes: int, expected: bool) -> None:
    assert below_chance(right, images, 1 / classes) is expected


def test_one_answer_for_all_is_right_on_the_most_frequent_class() -> None:
    labels = torch.tensor([2, 2, 0, 1, 2])

    assert most_frequent(labels) == max(float((labels == answer).double().mean()) for answer in range(3)) == 0.6
