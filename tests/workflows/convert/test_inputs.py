"""Laws of ``read_inputs``: who tells whom the shape of an image, and that a preprocessing is said once."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from seenn_convert.data import Preprocessing, open_dataset
from seenn_convert.errors import InputError
from seenn_convert.workflows.convert.inputs import read_inputs


class Net(nn.Module):
    """Takes images of three channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).relu().mean(dim=(2, 3)))


def exported() -> torch.export.ExportedProgram:
    return torch.export.export(Net().eval(), (torch.zeros(2, 3, 6, 6),))


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    for number in range(3):
        Image.fromarray(np.full((6, 6), 50 * number, np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_a_program_says_how_many_channels_it_takes(grey: Path) -> None:
    source, data = read_inputs(exported(), grey)

    assert source.program.input_shape == data.image_shape == (3, 6, 6)


def test_a_module_is_read_for_the_images_or_for_the_shape_that_is_given(grey: Path) -> None:
    images = torch.zeros(3, 3, 9, 9)
    assert read_inputs(Net().eval(), images)[0].program.input_shape == (3, 9, 9)
    source, data = read_inputs(Net().eval(), str(grey), input_shape=(3, 6, 6))
    assert source.program.input_shape == data.image_shape == (3, 6, 6)


def test_a_normalisation_for_three_channels_says_so_for_a_module(grey: Path) -> None:
    _, data = read_inputs(Net().eval(), grey, Preprocessing(mean=(0.1, 0.2, 0.3)))

    assert data.image_shape == (3, 6, 6)


def test_preprocessing_is_kept_for_floats_and_not_applied_again() -> None:
    images, scale = torch.randn(4, 3, 6, 6), Preprocessing(mean=(0.5,), std=(0.1,))

    _, data = read_inputs(Net().eval(), images, scale)

    assert data.preprocessing == scale
    assert torch.equal(next(data.batches(4))[0], images)


def test_two_preprocessings_are_refused_and_the_same_twice_is_not(grey: Path) -> None:
    scale = Preprocessing(mean=(0.5,))
    data = open_dataset(grey, scale, channels=3)

    assert read_inputs(exported(), data, scale)[1] is data
    with pytest.raises(InputError, match="was opened with another preprocessing"):
        read_inputs(exported(), data, Preprocessing())
