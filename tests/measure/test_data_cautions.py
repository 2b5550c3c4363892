"""Data that may have been meant otherwise is told."""

import pytest
import small_artifacts as small
import torch

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.measure.data_cautions import data_cautions, unused_preprocessing
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


def data(images: torch.Tensor, names: tuple[str, ...] | None = None) -> Dataset:
    return Dataset.of(ImageSource("data", images, class_names=names), Preprocessing())


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (tuple(sorted(map(str, range(12)))), True),
        (("1", "10", "2"), True),
        (tuple(map(str, range(10))), False),
        (("00", "01", "02"), False),
        (("1", "10", "2", "cat"), False),
        (None, False),
    ],
)
def test_numbers_that_are_sorted_as_text_are_told(names: tuple[str, ...] | None, told: bool) -> None:
    assert [one.code for one in data_cautions(data(torch.zeros(2, 1, 4, 4), names))] == ["class_order"] * told


def test_an_order_that_the_user_states_is_not_doubted() -> None:
    named = data(torch.zeros(2, 1, 4, 4), ("1", "10", "2")).with_classes(("1", "10", "2"))

    assert not list(data_cautions(named))


@pytest.mark.parametrize(
    ("shape", "kind", "told"),
    [((9,), torch.uint8, True), ((1, 2, 4, 4), torch.uint8, True), ((9,), torch.float32, False), ((1, 4, 4), torch.uint8, False)],
)
def test_bytes_that_are_no_image_are_told_to_be_read_as_pixels(
    shape: tuple[int, ...], kind: torch.dtype, told: bool
) -> None:
    found = [one.code for one in data_cautions(data(torch.zeros(2, *shape, dtype=kind)))]

    assert found == ["bytes_as_pixels"] * told


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (torch.float32, Preprocessing(mean=(0.5,), std=(0.2,)), "--mean, --std were not applied to them"),
        (torch.float32, Preprocessing(resize=4), "--resize was not applied to them"),
        (torch.float32, Preprocessing(), None),
        (torch.float32, None, None),
        (torch.uint8, Preprocessing(mean=(0.5,)), None),
    ],
)
def test_steps_that_floating_point_data_does_not_go_through_are_told(
    kind: torch.dtype, given: Preprocessing | None, told: str | None
) -> None:
    found = list(unused_preprocessing(data(torch.zeros(2, 1, 4, 4, dtype=kind)), given))

    assert [one.code for one in found] == ["preprocessing_unused"] * (told is not None)
    assert all(told in one.text for one in found)


def test_a_conversion_tells_them() -> None:
    images, labels = small.draw(40, 1)
    given = Preprocessing(mean=(0.5,))
    options = Options(timesteps=2, calibration="fast")
    for kind, found in ((images, True), ((255 * images.clamp(0, 1)).to(torch.uint8), False)):
        artifact = convert(small.source(), (kind, labels), options, preprocessing=given)
        assert ("preprocessing_unused" in [one.code for one in artifact.report.conversion.warnings]) is found
        assert artifact.preprocessing.mean == (0.5,)  # for pixels that come later
