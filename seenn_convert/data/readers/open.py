"""Open a file or folder of images with the reader for its kind."""

from collections.abc import Sequence
from pathlib import Path

from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.class_folders import first_suffix
from seenn_convert.data.readers.event_folder import EVENT_SUFFIXES, find_events
from seenn_convert.data.readers.idx import read_idx
from seenn_convert.data.readers.image_folder import IMAGE_SUFFIXES, find_images
from seenn_convert.data.readers.npz import read_npz
from seenn_convert.data.sources import ImageSource
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular


def open_dataset(
    path: Path | str, preprocessing: Preprocessing = Preprocessing(), channels: int | None = None, *,
    input_shape: Sequence[int] | None = None, labelled: bool = False,
) -> Dataset:  # fmt: skip
    """Open a data set by what the path is; the first image is read, to know the shape.

    - A folder: class folders of images, or images without labels; see ``image_folder.find_images``.
    - A folder of event recordings, class folders or not: N-MNIST files ``*.bin``; see ``event_folder``. The
      preprocessing, or the shape of the model's input, says how many frames they become.
    - ``*.npz``: arrays ``x`` and, for labels, ``y``; see ``npz.read_npz``. Floating-point ``x`` is used as it is,
      without any preprocessing, and the result says so in ``preprocessed``.
    - ``*-images-idx3-ubyte`` or ``*.gz``: IDX images, with the labels that lie beside them; see ``idx.read_idx``.

    Args:
        path: File or folder.
        preprocessing: What to do to pixels once they are scaled to [0, 1]; nothing by default.
        channels: How many channels the model takes; image files and IDX are converted, an npz file must fit.
        input_shape: Shape of the model's input, if it is known; it says the channels, too.
        labelled: Whether labels are needed.

    Raises:
        InputError: If there is nothing at ``path``, it is of no known kind, damaged or empty, without labels that are
            needed, or the preprocessing does not fit the first image.
    """
    if not isinstance(path, (str, Path)):
        raise InputError(f"a path is wanted, got {type(path).__name__}; as_samples takes images from memory")
    try:
        source = _open_source(Path(path), Wanted.by(preprocessing, input_shape, channels, labelled))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    return Dataset.of(source, preprocessing)


def is_data_file(path: Path) -> bool:
    """Return whether the name of a file is that of many images in one file, ``.npz`` or IDX."""
    return path.suffix.lower() in (".npz", ".gz") or path.name.endswith("idx3-ubyte")


def _open_source(path: Path, wanted: Wanted) -> ImageSource:
    if path.is_dir():
        recordings = first_suffix(path, (*IMAGE_SUFFIXES, *EVENT_SUFFIXES)) in EVENT_SUFFIXES
        return find_events(path, wanted) if recordings else find_images(path, wanted)
    if not path.exists():
        raise InputError(f"{path}: does not exist; give an image folder, an .npz file or an IDX file")
    check_regular(path)
    if is_data_file(path):
        reader = read_npz if path.suffix.lower() == ".npz" else read_idx
        return ImageSource(str(path), *reader(path, wanted))
    how = "; numpy.savez writes an .npz of arrays x and y" if path.suffix.lower() in (".npy", ".csv", ".pt") else ""
    raise InputError(
        f"{path}: not a data set; give an image folder, an .npz file or an IDX file (images-idx3-ubyte){how}"
    )
