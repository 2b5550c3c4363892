"""Observation meets bad data with a clear error and sees the same whatever the batches are."""

import pytest
import small_artifacts as small
import torch
from torch import nn

from seenn_convert.calibration.observe import check_images, observe
from seenn_convert.errors import CalibrationDataError
from seenn_convert.frontend.torch.read import from_torch


def test_it_sees_the_input_of_every_activation() -> None:
    images, _ = small.draw(20, 3)
    statistics, count = observe(small.ann_program(), [images[:7], images[7:7], images[7:]])
    net = small.trained_net()
    with torch.no_grad():
        first = nn.functional.max_pool2d(net.norm1(net.conv1(images)), 2)
    assert count == 20
    assert list(statistics) == ["relu", "relu_1"]
    assert torch.allclose(statistics["relu"].maxima, first.amax(dim=(0, 2, 3)), rtol=1e-5)
    assert statistics["relu"].totals.tolist() == [20 * 16] * 5


def test_it_sees_the_same_for_any_batch_size() -> None:
    """Convolutions sum in the same order for batches of 16 and more."""
    images, _ = small.draw(96, 3)
    whole, _ = observe(small.ann_program(), [images])
    parts, _ = observe(small.ann_program(), images.split(32))
    assert all(torch.equal(whole[name].counts, parts[name].counts) for name in whole)


@pytest.mark.parametrize("batches", [[], [torch.zeros(0, *small.SHAPE)]])
def test_no_image_is_an_error(batches: list[torch.Tensor]) -> None:
    with pytest.raises(CalibrationDataError, match="no images"):
        observe(small.ann_program(), batches)


def test_a_wrong_shape_is_an_error_that_says_both() -> None:
    with pytest.raises(CalibrationDataError, match=r"\(1, 9, 9\), the model takes \(1, 8, 8\)"):
        observe(small.ann_program(), [torch.zeros(2, 1, 9, 9)])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_image_that_is_not_finite_is_named(value: float) -> None:
    images = torch.zeros(6, *small.SHAPE)
    images[4, 0, 3, 3] = value
    with pytest.raises(CalibrationDataError, match="image 4 holds NaN or infinity"):
        observe(small.ann_program(), images.split(2))
    with pytest.raises(CalibrationDataError, match="image 14 "):
        check_images(images, small.SHAPE, range(10, 16))


def test_activations_that_are_not_finite_are_named() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)).eval()
    program = from_torch(net, small.SHAPE)
    with torch.no_grad():
        next(module for _, module in program.calls()).bias.fill_(float("inf"))
    with pytest.raises(CalibrationDataError, match="own activations are NaN or infinite"):
        observe(program, [torch.zeros(2, *small.SHAPE)])


def test_rows_that_padding_adds_are_not_counted() -> None:
    images = small.draw(40, 3)[0]
    few, many = (observe(small.ann_program(), [part])[0] for part in (images[:5], images))
    assert all(torch.equal(8 * few[name].totals, many[name].totals) for name in many)
