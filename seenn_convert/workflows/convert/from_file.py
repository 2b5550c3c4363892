"""What a model file and the data must tell each other: sizes that the file leaves open, and the range of its pixels."""

from collections.abc import Sequence
from dataclasses import replace

from seenn_convert.data.preprocessing import Preprocessing


def sizes_of_data(open_shape: Sequence[int | None], image_shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of one image as a file takes it, where the file leaves sizes open.

    Args:
        open_shape: As the file has it; None for a size that it leaves open.
        image_shape: Of the data, channels first. A file that has them last takes them last. If it has an axis more
            than the file, that is one of frames.
    """
    first = tuple(image_shape[-len(open_shape) :]) if len(image_shape) == 1 + len(open_shape) else tuple(image_shape)
    last = (*first[1:], first[0])
    return last if not _fits(first, open_shape) and _fits(last, open_shape) else first


def in_range(preprocessing: Preprocessing, pixel_range: tuple[float, float] | None) -> Preprocessing:
    """Return the preprocessing that maps pixels of [0, 1] to the range that a file takes, unless the user gave one."""
    if pixel_range is None or preprocessing.mean is not None or preprocessing.std is not None:
        return preprocessing
    low, high = pixel_range
    return replace(preprocessing, mean=(-low / (high - low),) if low else None, std=(1 / (high - low),))


def _fits(shape: Sequence[int], open_shape: Sequence[int | None]) -> bool:
    return len(shape) == len(open_shape) and all(b in (None, a) for a, b in zip(shape, open_shape, strict=True))
