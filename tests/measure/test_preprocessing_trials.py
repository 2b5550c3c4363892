"""Pixels that are normalised otherwise than in training: the usual normalisation that helps is named."""

import pytest
import torch
from brightness import COUNT, HALVES, IMAGENET, MNIST, WHOLE, pixels, trained
from torch import Tensor, nn

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.preprocessing_trials import preprocessing_caution


def cautioned(ann, images, among):
    with torch.no_grad():
        answers = run_ann(ann, images, 64).argmax(dim=-1)
    return preprocessing_caution(ann, images, answers, among)


def data(channels: int, given: Preprocessing, labels: bool = True) -> Dataset:
    images, known = pixels(channels)
    return Dataset.of(ImageSource("x.npz", images, known if labels else None), given)


@pytest.mark.parametrize(
    ("channels", "used", "given", "options"),
    [
        (3, IMAGENET, Preprocessing(), "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"),
        (3, Preprocessing(), IMAGENET, "neither --mean nor --std"),
        (3, WHOLE, Preprocessing(), "--std 0.00392157"),
        (3, HALVES, IMAGENET, None),
        (1, HALVES, Preprocessing(), "--mean 0.5 --std 0.5"),
        (1, WHOLE, HALVES, "--std 0.00392157"),
        (1, MNIST, Preprocessing(), "--mean 0.1307 --std 0.3081"),
        (3, IMAGENET, IMAGENET, None),
        (1, Preprocessing(), Preprocessing(), None),
    ],
)
def test_the_normalisation_that_helps_is_named(
    channels: int, used: Preprocessing, given: Preprocessing, options: str | None
) -> None:
    """None where the model is right as it is, or nearly."""
    ann = trained(channels, used)
    caution = cautioned(ann, data(channels, given), range(COUNT))

    assert cautioned(ann, data(channels, used), range(COUNT)) is None
    assert (caution is None) == (options is None)
    if caution is not None:
        assert caution[1].text.endswith(f"convert with {options}")


@pytest.mark.parametrize("largest", [1.0, 255.0])
def test_floats_that_may_be_pixels_are_tried(largest: float) -> None:
    """They are taken as they are, so the remedy is another."""
    images, labels = pixels(3)
    floats = Dataset.of(ImageSource("x.npz", images * (largest / 255), labels), IMAGENET)
    caution = cautioned(trained(3, IMAGENET), floats, range(COUNT))

    assert caution is not None
    assert "with ImageNet's mean and std: floating-point images are taken as they are, so normalise" in caution[1].text


def test_floats_with_channels_last_are_tried() -> None:
    """A model that takes (H, W, C) is given what its layout says, in the trial as well."""
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = trained(3, IMAGENET).graph_module

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x.permute(0, 3, 1, 2))

    images, labels = pixels(3)
    source = ImageSource("x.npz", (images / 255).permute(0, 2, 3, 1).contiguous(), labels)
    floats = Dataset.of(source, Preprocessing(layout="channels_last"))
    ann = from_torch(Last().eval(), (4, 4, 3))

    assert cautioned(ann, floats, range(COUNT)) is not None


def test_nothing_is_tried_without_labels_or_pixels() -> None:
    ann, images = trained(1, WHOLE), pixels(1)
    signed = Dataset.of(ImageSource("x.npz", images[0] / 255 - 0.5, images[1]), Preprocessing())

    assert cautioned(ann, data(1, Preprocessing(), labels=False), range(COUNT)) is None
    assert cautioned(ann, signed, range(COUNT)) is None


def test_a_normalisation_that_itself_only_guesses_is_not_advised() -> None:
    """Classes in another order: no answer is right, and other pixels, which all get one answer, do better than that."""
    ann = trained(1, WHOLE)
    images, labels = pixels(1)
    moved = Dataset.of(ImageSource("x.npz", images, (labels + 1) % 3), WHOLE)

    assert cautioned(ann, moved, range(COUNT)) is None


def test_resize_and_crop_stay() -> None:
    """The trial changes mean and std only; without the crop the model would not take the images."""
    ann = trained(1, WHOLE)
    small = data(1, Preprocessing(resize=8, crop=4))

    assert cautioned(ann, small, range(COUNT)) is not None


class Overflowing(nn.Module):
    """Guesses, and is infinite on images with a value above 1.5."""

    def forward(self, x: Tensor) -> Tensor:
        large = (1000 * (x.flatten(1).amax(dim=1, keepdim=True) - 1.5)).exp()
        return torch.cat([large, torch.zeros_like(large)], dim=1)


def test_a_normalisation_for_which_the_ann_overflows_is_none() -> None:
    images = torch.randint(256, (60, 1, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    found = Dataset.of(ImageSource("x", images, torch.zeros(60, dtype=torch.int64)), Preprocessing())
    assert cautioned(from_torch(Overflowing().eval(), (1, 4, 4)), found, range(60)) is None
