"""Inputs that are made up to run an export on where no images are given."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError


def made_up_images(shape: Sequence[int], preprocessing: Preprocessing, count: int) -> Tensor:
    """Return ``count`` preprocessed inputs ``(count, *shape)``: smooth noise for images, plain noise for others.

    They are no images of any class, so accuracies on them mean nothing; every neuron gets currents of a usual size.
    """
    generator = torch.Generator().manual_seed(0)
    size = _image_of(tuple(shape), preprocessing)
    if preprocessing.events is not None:
        return torch.poisson(torch.full((count, *shape), 0.3), generator=generator)
    if size is not None:
        coarse = torch.rand(count, size[0], 4, 4, generator=generator)
        smooth = F.interpolate(coarse, size=size[1:], mode="bilinear", align_corners=False)
        pixels = (smooth + 0.1 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
        try:
            made = preprocessing.apply(pixels)
        except InputError:
            made = pixels
        if tuple(made.shape[1:]) == tuple(shape):
            return made
    return torch.randn(count, *shape, generator=generator)


def _image_of(shape: tuple[int, ...], preprocessing: Preprocessing) -> tuple[int, int, int] | None:
    """Return channels, height and width of an image for a model's input; None where it takes no images."""
    match preprocessing.layout, shape:
        case "channels_first", (channels, height, width):
            return channels, height, width
        case "channels_last", (height, width, channels):
            return channels, height, width
        case "no_channels", (height, width):
            return 1, height, width
        case _:
            return None
