"""Validation images are read like calibration images, and numbered as they are."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.errors import InputError
from seenn_convert.progress import silent
from seenn_convert.workflows.convert.known import Known

NAMES = ("low", "middle", "high")


def test_nothing_known_is_no_images() -> None:
    assert Known(0.9).images(small.dataset(), small.SHAPE, small.CLASSES, silent) is None


def test_classes_are_matched_by_name_with_those_of_the_calibration_images() -> None:
    own, other = small.dataset(20).with_classes(NAMES), small.dataset(20, seed=3)
    turned = replace(other, source=replace(other.source, class_names=("high", "middle", "low")))
    found = Known(validation=turned).images(own, small.SHAPE, small.CLASSES, silent)
    assert torch.equal(found.labels, 2 - other.labels)


@pytest.mark.parametrize(("images", "words"), [
    (small.dataset(20), "are calibration images"), (small.dataset(10), "are calibration images"),
    (small.dataset(20, seed=3, labelled=False), "has no labels"),
    (small.as_dataset(torch.zeros(4, 1, 9, 9), torch.zeros(4, dtype=torch.int64)), "images have shape"),
])  # fmt: skip
def test_images_that_cannot_validate(images: object, words: str) -> None:
    data = small.dataset(20)
    images = data.subset(range(10)) if len(images) == 10 else images  # type: ignore[arg-type]
    with pytest.raises(InputError, match=words):
        Known(validation=images).images(data, small.SHAPE, small.CLASSES, silent)  # type: ignore[arg-type]


def test_missing_labels_are_asked_for_by_the_name_of_the_option() -> None:
    images = small.dataset(20, seed=3, labelled=False)
    with pytest.raises(InputError, match=r"has no labels; --validation-data \(validation_data\) needs an npz with 'y'"):
        Known(validation=images).images(small.dataset(20), small.SHAPE, small.CLASSES, silent)
