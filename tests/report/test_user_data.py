"""Data that does not fit an artifact is refused with the reason."""

import pytest
import small_artifacts as small
import torch

from seenn_convert.errors import InputError
from seenn_convert.report.evaluate import check_shape, checked_labels, classes_of


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
        check_shape(data, small.artifact())
    check_shape(small.dataset(), small.artifact())
