"""Laws of ``Preprocessing``: what it computes, what it refuses, and that JSON keeps it."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError


def images(channels: int, height: int, width: int) -> torch.Tensor:
    """Two images of random pixels in [0, 1]."""
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def test_nothing_set_changes_nothing() -> None:
    pixels = images(3, 5, 7)

    assert torch.equal(Preprocessing().apply(pixels), pixels)


def test_the_input_is_left_as_it_was() -> None:
    pixels = images(3, 8, 8)
    before = pixels.clone()

    Preprocessing(resize=6, crop=4, mean=(0.5,), std=(0.5,)).apply(pixels)

    assert torch.equal(pixels, before)


def test_mean_is_subtracted_before_std_divides() -> None:
    pixels = torch.full((1, 1, 2, 2), 0.75)

    assert torch.equal(Preprocessing(mean=(0.25,), std=(0.125,)).apply(pixels), torch.full((1, 1, 2, 2), 4.0))


def test_each_channel_has_its_own_mean_and_std() -> None:
    pixels = torch.ones(1, 3, 1, 1)

    normalised = Preprocessing(mean=(0.0, 0.5, 1.0), std=(1.0, 0.25, 3.0)).apply(pixels)

    assert normalised.flatten().tolist() == [1.0, 2.0, 0.0]


def test_one_value_stands_for_every_channel() -> None:
    pixels = images(3, 4, 4)

    one = Preprocessing(mean=(0.5,), std=(0.25,)).apply(pixels)

    assert torch.equal(one, Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3).apply(pixels))


def test_mean_alone_or_std_alone_may_be_given() -> None:
    pixels = torch.full((1, 1, 1, 1), 0.5)

    assert Preprocessing(mean=(0.25,)).apply(pixels).item() == 0.25
    assert Preprocessing(std=(0.25,)).apply(pixels).item() == 2.0


@pytest.mark.parametrize(
    ("height", "width", "resized"),
    [(32, 32, (16, 16)), (32, 48, (16, 24)), (48, 32, (24, 16)), (10, 33, (16, 52)), (16, 50, (16, 50))],
)
def test_resize_sets_the_shorter_side_and_rounds_the_longer_down(
    height: int, width: int, resized: tuple[int, int]
) -> None:
    assert Preprocessing(resize=16).apply(images(1, height, width)).shape[2:] == resized


def test_resize_keeps_a_constant_image_constant() -> None:
    torch.testing.assert_close(
        Preprocessing(resize=5).apply(torch.full((1, 3, 13, 17), 0.3)), torch.full((1, 3, 5, 6), 0.3)
    )


def test_resize_averages_what_it_drops() -> None:
    """Antialiasing: halving a fine checkerboard gives grey inside, where point sampling would give black or white."""
    rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    board = ((rows + columns) % 2).float().reshape(1, 1, 32, 32)

    halved = Preprocessing(resize=16).apply(board)

    torch.testing.assert_close(halved[..., 1:-1, 1:-1], torch.full((1, 1, 14, 14), 0.5))


@pytest.mark.parametrize(("height", "width", "size"), [(40, 56, 16), (33, 20, 13), (9, 12, 20)])
def test_resize_is_the_bilinear_filter_of_pillow(height: int, width: int, size: int) -> None:
    pixels = images(1, height, width)[:1]
    resized = Preprocessing(resize=size).apply(pixels)

    pillow = Image.fromarray(pixels[0, 0].numpy()).resize(
        (resized.shape[3], resized.shape[2]), Image.Resampling.BILINEAR
    )

    torch.testing.assert_close(resized[0, 0], torch.from_numpy(np.array(pillow)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "size"), [(40, 56, 16), (33, 20, 13), (9, 12, 20), (32, 32, 40)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_resize_is_that_of_pillow_on_8_bit_images_but_for_rounding(
    height: int, width: int, size: int, interpolation: Any
) -> None:
    """Pillow rounds to whole numbers after the rows and again after the columns; nothing is rounded by ``nearest``."""
    pixels = images(1, height, width)[:1].mul(255).round().to(torch.uint8)
    resized = Preprocessing(resize=size, interpolation=interpolation).apply(pixels / 255)[0, 0] * 255

    by_name = Image.Resampling[interpolation.upper()]
    pillow = Image.fromarray(pixels[0, 0].numpy()).resize((resized.shape[1], resized.shape[0]), by_name)

    allowed = 1e-4 if interpolation == "nearest" else 1.5
    torch.testing.assert_close(resized, torch.from_numpy(np.array(pillow)).float(), rtol=0, atol=allowed)


def test_bicubic_overshoot_is_clipped() -> None:
    """Beside a hard edge the cubic filter leaves [0, 1]; pixels do not."""
    edge = (torch.arange(8) >= 4).float().expand(1, 1, 8, 8)

    resized = Preprocessing(resize=32, interpolation="bicubic").apply(edge)

    assert (resized.min(), resized.max()) == (0, 1)


@pytest.mark.parametrize("value", ["lanczos", "", None, 2, ["bilinear"]])
def test_an_unknown_filter_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="interpolation must be one of bilinear, bicubic, nearest, got"):
        Preprocessing(interpolation=value)


def test_resize_follows_a_linear_ramp() -> None:
    """A triangle filter of unit mass, symmetric about the sample, reproduces a linear function away from the border."""
    ramp = torch.arange(32.0).add(0.5).div(32).expand(1, 1, 32, 32)

    resized = Preprocessing(resize=8).apply(ramp)

    torch.testing.assert_close(resized[0, 0, 4, 2:6], torch.arange(8.0).add(0.5).div(8)[2:6])


@pytest.mark.parametrize(("size", "crop", "first"), [(8, 4, 2), (9, 4, 2), (7, 4, 2), (5, 5, 0), (6, 5, 0)])
def test_crop_cuts_the_centre_with_halves_to_even(size: int, crop: int, first: int) -> None:
    pixels = torch.arange(float(size)).expand(1, 1, size, size)

    cropped = Preprocessing(crop=crop).apply(pixels)

    assert cropped.shape == (1, 1, crop, crop)
    assert cropped[0, 0, 0].tolist() == list(range(first, first + crop))


def test_crop_comes_after_resize() -> None:
    assert Preprocessing(resize=8, crop=6).apply(images(3, 4, 5)).shape == (2, 3, 6, 6)


def test_the_result_is_contiguous() -> None:
    assert Preprocessing(crop=4).apply(images(3, 8, 8)).is_contiguous()


def test_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(InputError, match=r"crop 8 is larger than the image of 6 x 9 pixels; .*--resize 8"):
        Preprocessing(crop=8).apply(images(3, 6, 9))


@pytest.mark.parametrize("name", ["mean", "std"])
@pytest.mark.parametrize(("count", "channels"), [(2, 3), (3, 1), (3, 4)])
def test_a_count_that_is_neither_one_nor_the_channels_is_refused(name: str, count: int, channels: int) -> None:
    values: dict[str, Any] = {name: (0.5,) * count}

    with pytest.raises(InputError, match=f"{name} has {count} values and the image {channels} channel"):
        Preprocessing(**values).apply(images(channels, 4, 4))


@pytest.mark.parametrize("pixels", [torch.zeros(3, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.uint8)])
def test_only_floating_point_batches_are_taken(pixels: torch.Tensor) -> None:
    with pytest.raises(InputError, match="floating-point"):
        Preprocessing().apply(pixels)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resize", 0),
        ("resize", -3),
        ("resize", 2.5),
        ("resize", True),
        ("resize", "32"),
        ("crop", 0),
        ("crop", [32]),
        ("mean", 0.5),
        ("mean", ()),
        ("mean", (0.5, "0.5")),
        ("mean", (float("nan"),)),
        ("mean", (10**400,)),
        ("mean", "0.5"),
        ("std", (float("inf"),)),
        ("std", (True,)),
        ("std", (0.0,)),
        ("std", (0.5, 0.0, 0.5)),
        ("std", (-0.5,)),
        ("std", (1e-320,)),
        ("std", (1e39,)),
        ("mean", (1e39,)),
    ],
)
def test_a_value_that_cannot_be_applied_cannot_be_made(name: str, value: Any) -> None:
    fields: dict[str, Any] = {name: value}

    with pytest.raises(InputError, match=f"preprocessing: {name} must be"):
        Preprocessing(**fields)


@pytest.mark.parametrize(
    "value",
    [
        Preprocessing(),
        Preprocessing(resize=256, crop=224),
        Preprocessing(mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.7)),
        Preprocessing(interpolation="bicubic"),
    ],
)
def test_json_keeps_the_value(value: Preprocessing) -> None:
    assert Preprocessing.from_json(json.loads(json.dumps(value.to_json()))) == value


def test_json_names_every_field() -> None:
    assert Preprocessing(resize=8, mean=(0.5,)).to_json() == {
        "resize": 8,
        "crop": None,
        "mean": [0.5],
        "std": None,
        "interpolation": "bilinear",
        "layout": "channels_first",
    }


def test_json_takes_the_default_of_a_missing_key() -> None:
    assert Preprocessing.from_json({"crop": 4}) == Preprocessing(crop=4)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"resize": "32"}, "resize must be"),
        ({"crop": [4]}, "crop must be"),
        ({"mean": 0.5}, "mean must be"),
        ({"mean": [None]}, "mean must be"),
        (
            {"mean": [127.5, 123, 114], "std": [51, 51, 51]},
            r"mean must be at most 1, .*: --mean 0.5,0.4824,0.4471 --std 0.2,0.2,0.2$",
        ),
        ({"mean": [127.5], "std": [0.5]}, "by 255: --mean 0.5$"),
        ({"std": {"r": 1.0}}, "std must be"),
        ({"std": [0]}, "std must be positive"),
        ({"normalise": True, "mena": [0.5]}, "unknown key mena, normalise; use resize, crop, mean, std, interpolation"),
        ([0.5], "expected a JSON object, got list"),
        (None, "expected a JSON object, got NoneType"),
    ],
)
def test_json_of_another_kind_is_refused(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Preprocessing.from_json(data)


@pytest.mark.parametrize(
    ("layout", "channels", "shape"),
    [("channels_last", 3, (4, 4, 3)), ("no_channels", 1, (4, 4)), ("flat", 1, (16,)), ("channels_first", 2, (2, 4, 4))],
)
def test_the_result_lies_as_the_layout_says(layout: Any, channels: int, shape: tuple[int, ...]) -> None:
    """The numbers are those of channels first, whatever else is done to them."""
    pixels = images(channels, 6, 8)
    steps: dict[str, Any] = {"resize": 5, "crop": 4, "mean": tuple(0.1 * c for c in range(channels)), "std": (0.3,)}
    first = Preprocessing(**steps).apply(pixels)
    found = Preprocessing(**steps, layout=layout).apply(pixels)

    assert found.shape[1:] == shape and found.is_contiguous()
    expected = first.permute(0, 2, 3, 1) if layout == "channels_last" else first
    assert torch.equal(found, expected.reshape(found.shape))


@pytest.mark.parametrize("layout", ["no_channels", "flat"])
def test_colour_has_no_place_without_an_axis_of_channels(layout: Any) -> None:
    with pytest.raises(InputError, match="3 channels for a model whose input has no axis of channels"):
        Preprocessing(layout=layout).apply(images(3, 4, 4))


def test_numbers_that_are_no_images_are_only_normalised() -> None:
    voxels = torch.rand(2, 3, 4, 5, 6)
    found = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.5,)).apply(voxels)

    assert torch.allclose(found, (voxels - torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1, 1)) / 0.5)
    with pytest.raises(InputError, match="are no image and cannot be resized or cropped"):
        Preprocessing(crop=2).apply(voxels)


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(InputError, match="layout must be one of channels_first, channels_last, no_channels, flat"):
        Preprocessing.from_json({"layout": "NHWC"})


def test_a_strip_that_would_grow_beyond_all_measure_is_refused() -> None:
    with pytest.raises(InputError, match="1 x 300 pixels would become one of 1000 x 300000"):
        Preprocessing(resize=1000, crop=8).apply(images(1, 1, 300))
