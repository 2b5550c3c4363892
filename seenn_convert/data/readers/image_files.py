"""Image files that are named one by one, and those below folders, as one source without labels."""

from collections.abc import Sequence
from pathlib import Path

from seenn_convert.data.readers.class_folders import named
from seenn_convert.data.readers.image_folder import IMAGE_SUFFIXES, image_files
from seenn_convert.data.sources import ImageSource
from seenn_convert.data.wanted import Wanted


def list_images(paths: Sequence[Path], wanted: Wanted) -> ImageSource:
    """Return the images that ``paths`` name: files as they stand, and every image at any depth below folders, sorted.

    Hidden files and folders, and files below a folder that are not images, are skipped. None is decoded.

    Raises:
        InputError: A path is not there, a folder holds no image, there is no path, or the model takes no such image.
    """
    for path in paths[:1]:
        wanted.check_images(path)
    return image_files(Path(), named(paths, IMAGE_SUFFIXES, "image"), wanted.channels)
