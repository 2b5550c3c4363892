"""Find the images of a folder, with or without class folders, and decode them one by one when they are asked for."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from seenn_convert.data.readers.class_folders import found_in
from seenn_convert.data.sources import ImageSource
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")

# Only these decoders may run, whatever the bytes claim to be: Pillow hands some others to outside programs.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF")
_MODE_OF_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY_MODES = ("1", "L", "LA")

MOST_PIXELS = 2**26
"""Pixels of one image at most: colour takes 1 GB as the numbers that are resized."""


@dataclass(frozen=True)
class ImageFiles:
    """Image files that are decoded one by one.

    Args:
        root: Folder below which they lie.
        paths: File names relative to ``root``.
        channels: 1, 3 or 4 channels for every image; None leaves each image with its own 1 or 3.
    """

    root: Path
    paths: tuple[str, ...]
    channels: int | None

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Decode one image to ``(C, H, W)`` uint8; of an animation the first frame.

        Colour becomes grey by luma, grey is repeated to colour, transparency is dropped, and EXIF rotation is ignored,
        all as torchvision's ``ImageFolder`` does.

        Raises:
            InputError: If the file is missing, no regular file, damaged, too large, or has more than 8 bits a channel.
        """
        path = self.root / self.paths[index]
        check_regular(path)
        try:
            with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as image:
                _check_size(path, image)
                return pixels_of(image, str(path), self.channels)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{path}: {_TOO_LARGE}") from error
        except Exception as error:  # Pillow's decoders raise a dozen unrelated types for damaged bytes
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise InputError(f"{path}: not a readable image ({reason}); replace or remove it") from error


_TOO_LARGE = f"has more than {MOST_PIXELS} pixels; make it smaller, about as large as the model's input"


def find_images(root: Path, wanted: Wanted = Wanted()) -> ImageSource:
    """List the images below ``root``, by their sorted class names and then file names, without decoding any.

    A folder of folders is labelled: each folder is a class, and images at any depth below it belong to that class.
    A folder of images is unlabelled. Hidden files and folders, and files that are not images, are skipped. Links to
    folders are followed.

    Raises:
        InputError: If there is no image, a class folder has none or a name with control characters, images lie beside
            class folders, labels are needed and not there, or image files cannot be the model's input.
    """
    wanted.check_images(root)
    found = found_in(root, IMAGE_SUFFIXES, "image")
    wanted.check_labelled(root, found.labels is not None)
    return image_files(root, found.paths, wanted.channels, found.labels, found.class_names)


def image_files(
    root: Path,
    paths: Sequence[str],
    channels: int | None,
    labels: Tensor | None = None,
    class_names: tuple[str, ...] | None = None,
) -> ImageSource:
    """Return the source of the image files at ``paths``, which are relative to ``root``."""
    return ImageSource(str(root), ImageFiles(root, tuple(paths), channels), labels, class_names, tuple(paths))


def pixels_of(image: Image.Image, name: str, channels: int | None = None) -> Tensor:
    """Return ``(C, H, W)`` uint8 of a decoded image, converted to ``channels`` of 1, 3 or 4 if they are given.

    Raises:
        InputError: The image has more than 8 bits a channel.
    """
    if image.mode == "F" or image.mode.startswith("I") or _is_deep(image):
        raise InputError(f"{name}: has more than 8 bits a channel (mode {image.mode}); save it as an 8-bit image")
    channels = channels or (1 if image.mode in _GREY_MODES else 3)
    mode = _MODE_OF_CHANNELS[channels]
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # directly to RGB, Pillow warns about the transparency that is lost
    pixels = np.array(image if image.mode == mode else image.convert(mode))
    return torch.from_numpy(pixels).reshape(image.height, image.width, channels).permute(2, 0, 1)


def _is_deep(image: Image.Image) -> bool:
    """Return whether the file has 16 bits a channel, of which Pillow would drop 8; known until it is decoded."""
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _check_size(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise InputError(f"{path}: {_TOO_LARGE}")
