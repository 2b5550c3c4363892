"""Open a file or folder of images with the reader for its kind."""

from pathlib import Path

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.idx import read_idx
from seenn_convert.data.readers.image_folder import find_images
from seenn_convert.data.readers.npz import read_npz
from seenn_convert.data.sources import ImageSource
from seenn_convert.errors import InputError


def open_dataset(
    path: Path | str, preprocessing: Preprocessing = Preprocessing(), channels: int | None = None
) -> Dataset:
    """Open a data set by what the path is; the first image is read, to know the shape.

    - A folder: class folders of images, or images without labels; see ``image_folder.find_images``.
    - ``*.npz``: arrays ``x`` and, for labels, ``y``; see ``npz.read_npz``. Floating-point ``x`` is used as it is,
      without any preprocessing, and the result says so in ``preprocessed``.
    - ``*-images-idx3-ubyte`` or ``*.gz``: IDX images, with the labels that lie beside them; see ``idx.read_idx``.

    Args:
        path: File or folder.
        preprocessing: What to do to pixels once they are scaled to [0, 1]; nothing by default.
        channels: How many channels the model takes; image files and IDX are converted, an npz file must fit.

    Raises:
        InputError: If there is nothing at ``path``, it is of no known kind, damaged or empty, or the preprocessing does
            not fit the first image.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(f"a path is wanted, got {type(path).__name__}; as_samples takes images from memory")
    try:
        source = _open_source(Path(path), channels)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    return Dataset.of(source, preprocessing)


def _open_source(path: Path, channels: int | None) -> ImageSource:
    if path.is_dir():
        return find_images(path, channels)
    if not path.exists():
        raise InputError(f"{path}: does not exist; give an image folder, an .npz file or an IDX file")
    if path.suffix == ".npz":
        return ImageSource(str(path), *read_npz(path, channels))
    if path.suffix == ".gz" or path.name.endswith("idx3-ubyte"):
        return ImageSource(str(path), *read_idx(path, channels))
    raise InputError(f"{path}: not a data set; give an image folder, an .npz file or an IDX file (images-idx3-ubyte)")
