"""Find the images of a folder, with or without class folders, and decode them one by one when they are asked for."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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
    channels = wanted.channels
    entries = [entry for entry in root.iterdir() if not entry.name.startswith(".")]
    entries.sort(key=lambda entry: entry.name)
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry.name for entry in entries if _is_image(entry.name) and entry not in folders]
    if loose and folders:
        raise InputError(f"{root}: image {loose[0]} lies beside class folder {folders[0].name}; move one of them away")
    if not folders:
        if not loose:
            raise InputError(f"{root}: holds no image ({', '.join(IMAGE_SUFFIXES)}); give a folder of images")
        wanted.check_labelled(root, False)
        return image_files(root, loose, channels)
    images = [images_below(folder) for folder in folders]
    for folder, files in zip(folders, images, strict=True):
        if not files:
            raise InputError(f"{folder}: class folder without an image; add images or remove the folder")
    labels = torch.repeat_interleave(torch.tensor([len(files) for files in images]))
    names = tuple(folder.name for folder in folders)
    return image_files(root, list(chain(*images)), channels, labels, names)


def image_files(
    root: Path,
    paths: Sequence[str],
    channels: int | None,
    labels: Tensor | None = None,
    class_names: tuple[str, ...] | None = None,
) -> ImageSource:
    """Return the source of the image files at ``paths``, which are relative to ``root``."""
    return ImageSource(str(root), ImageFiles(root, tuple(paths), channels), labels, class_names, tuple(paths))


def images_below(folder: Path) -> list[str]:
    """Return the images at any depth, sorted, each path relative to the parent of ``folder``.

    Raises:
        InputError: A folder cannot be listed.
    """

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable or remove it")

    found: list[str] = []
    above: dict[str, tuple[Path, ...]] = {str(folder): (folder.resolve(),)}
    for directory, folders, files in os.walk(folder, onerror=fail, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            real = Path(directory, name).resolve()
            if real in above[directory]:
                raise InputError(f"{Path(directory, name)}: links to a folder that it lies in; remove the link")
            above[os.path.join(directory, name)] = (*above[directory], real)
        below = Path(directory).relative_to(folder.parent).as_posix()
        found += [f"{below}/{name}" for name in files if _is_image(name)]
    return sorted(found)


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


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(IMAGE_SUFFIXES)
