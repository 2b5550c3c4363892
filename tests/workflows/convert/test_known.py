"""Exit images are read like calibration images, and numbered as they are."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.provenance import used_data
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.progress import silent
from seenn_convert.workflows.convert.known import Known

NAMES = ("low", "middle", "high")


def read(known: Known, own: Dataset) -> Samples | None:
    facts = used_data(own)
    return known.exit_images(own.preprocessing, own.class_names, facts, small.SHAPE, small.CLASSES, silent)


def test_nothing_known_is_no_images() -> None:
    assert read(Known(0.9), small.dataset()) is None


def test_classes_are_matched_by_name_with_those_of_the_calibration_images() -> None:
    own, other = small.dataset(20).with_classes(NAMES), small.dataset(20, seed=3)
    turned = replace(other, source=replace(other.source, class_names=("high", "middle", "low")))
    found = read(Known(exit_data=turned), own)
    assert torch.equal(found.labels, 2 - other.labels)


@pytest.mark.parametrize(("images", "words"), [
    (small.dataset(20, labelled=False), "the exit images are calibration images"),
    (small.dataset(20), "are calibration images"), (small.dataset(10), "are calibration images"),
    (small.dataset(1, seed=3), "1 exit image is too few"),
    (small.as_dataset(torch.zeros(4, 1, 9, 9), torch.zeros(4, dtype=torch.int64)), "images have shape"),
])  # fmt: skip
def test_images_that_cannot_serve(images: Dataset, words: str) -> None:
    data = small.dataset(20)
    images = data.subset(range(10)) if len(images) == 10 else images
    with pytest.raises(InputError, match=words):
        read(Known(exit_data=images), data)


def test_images_of_which_some_calibrate_cannot_serve() -> None:
    data = small.dataset(20)
    with pytest.raises(InputError, match="some of the exit images are calibration images"):
        read(Known(exit_data=data), data.subset(range(10)))


def test_labels_are_not_needed() -> None:
    found = read(Known(exit_data=small.dataset(20, seed=3, labelled=False)), small.dataset(20))
    assert len(found) == 20 and found.labels is None


def test_both_names_mean_the_same_and_exclude_each_other() -> None:
    images = small.dataset(20, seed=3)
    assert Known.of(0.9, images, None).exit_data is Known.of(0.9, None, images).exit_data is images
    with pytest.raises(InputError, match="validation_data is the older name of exit_data"):
        Known.of(None, images, images)
