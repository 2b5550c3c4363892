"""Image files that are named one by one, and those below folders, as one source without labels."""

from collections.abc import Sequence
from pathlib import Path

from seenn_convert.data.readers.image_folder import image_files, images_below
from seenn_convert.data.sources import ImageSource
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError


def list_images(paths: Sequence[Path], wanted: Wanted) -> ImageSource:
    """Return the images that ``paths`` name: files as they stand, and every image at any depth below folders, sorted.

    Hidden files and folders, and files below a folder that are not images, are skipped. None is decoded.

    Raises:
        InputError: A path is not there, a folder holds no image, there is no path, or the model takes no such image.
    """
    for path in paths[:1]:
        wanted.check_images(path)
    found: list[str] = []
    for path in paths:
        if path.is_dir():
            below = [str(path.parent / name) for name in images_below(path)]
            if not below:
                raise InputError(f"{path}: holds no image; give image files or a folder of some")
            found += below
        elif path.exists():
            found.append(str(path))
        else:
            raise InputError(f"{path}: no such file or folder; check the path")
    if not found:
        raise InputError("no image is given; name image files or folders")
    return image_files(Path(), found, wanted.channels)
