"""Classes named by numbers are the outputs with these numbers, also where some are missing."""

import pytest
import small_artifacts as small
from torch import nn

from seenn_convert.data.checks import matched_classes
from seenn_convert.data.class_numbers import number_notes, numbered_names
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.workflows.convert.run import Options, convert


@pytest.mark.parametrize(("names", "expected"), [
    (("0001", "0003"), ("0000", "0001", "0002", "0003", "0004")),
    (("4", "1"), ("0", "1", "2", "3", "4")),
    (("2", "01"), ("0", "01", "2", "3", "4")),
])  # fmt: skip
def test_the_number_is_the_output(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert numbered_names(names, 5) == expected
    assert "the 2 class folders are named by numbers" in number_notes(names, 5)[0]


@pytest.mark.parametrize("names", [(), ("1", "5"), ("1", "cat"), ("1", "01"), ("-1", "2"), ("²", "1")])
def test_names_that_number_no_outputs(names: tuple[str, ...]) -> None:
    assert numbered_names(names, 5) is None and number_notes(names, 5) == ()


def test_a_class_for_each_output_needs_no_note() -> None:
    assert number_notes(("0", "1", "2"), 3) == number_notes(None, 3) == ()


def test_an_artifact_knows_the_outputs_that_had_no_folder() -> None:
    """Calibrated on classes 1 and 4 of six, it is judged on classes 2 and 5 by their numbers."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 6)).eval()
    artifact = convert(network, named("1", "4"), Options(timesteps=2, calibration="fast"))
    assert artifact.class_names == ("0", "1", "2", "3", "4", "5")
    assert any("2 class folders are named by numbers" in note for note in artifact.report.model.notes)
    judged = matched_classes(named("2", "5"), artifact.class_names, 6)
    assert set(judged.labels.tolist()) == {2, 5}


def named(*names: str) -> Dataset:
    pixels, labels = small.draw(12, 1)
    return Dataset(ImageSource("bars", pixels, labels % len(names), names), Preprocessing(), range(12), small.SHAPE)
