"""``Dataset`` is ``Samples``; a class with the same members is, too, and one without is not."""

import numpy as np
import small_artifacts as small

from seenn_convert.data.samples import Samples


def test_a_dataset_is_samples_and_an_array_is_not() -> None:
    assert isinstance(small.dataset(3), Samples)
    assert not isinstance(np.zeros((3, 1, 2, 2)), Samples)


def test_the_original_is_the_image_before_preprocessing() -> None:
    data = small.dataset(5).subset([4, 2])

    assert (data.original(0) == small.dataset(5).original(4)).all()
