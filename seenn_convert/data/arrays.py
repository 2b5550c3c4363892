"""Make images and labels of NumPy arrays: which axis is the channels, which numbers are refused."""

import warnings
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.data.shapes import moved, shape_advice
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError

_CHANNEL_COUNTS = (1, 3, 4)
_IMAGE_AXES = (3, 4)
"""Axes of an array of images: without and with channels."""


def images_of(name: str, x: NDArray[np.generic], wanted: Wanted = Wanted()) -> Tensor:
    """Return ``(N, C, H, W)`` uint8 or ``(N, ...)`` float32; floating-point ``x`` is taken as already preprocessed.

    A ``uint8`` ``x`` is ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``. Of the last two, the one whose channel
    axis is as long as the model's or, where no axis is, 1, 3 or 4 long. If both are, the one with square images is
    meant, and ``(N, H, W, C)`` if that leaves both or neither. With any other number of axes it stays as it is:
    ``(N, F)``, say, or volumes ``(N, C, D, H, W)``. Other whole numbers are numbers, not pixels: they become float32
    for models whose inputs are no images, and are refused for images.

    Args:
        name: Of the data, for messages.
        x: The images; where they have the right type already, the result shares their memory.
        wanted: What the model takes.

    Raises:
        InputError: If ``x`` is empty or has the wrong type, shape or values.
    """
    check_images(name, x.shape, x.dtype, wanted)
    if x.dtype != np.uint8:
        return shared(_finite_floats(name, x))
    if len(x.shape) not in _IMAGE_AXES or not wanted.takes_images:
        return shared(x)
    pixels = _channels_first(name, x, wanted.channels)
    if wanted.channels not in (None, pixels.shape[1]):
        _refuse_channels(name, x.shape, pixels.shape[1], wanted)
    return shared(pixels)


def check_images(name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], wanted: Wanted) -> None:
    """Raise InputError if an array of this shape and type cannot be the model's images, whatever its numbers are."""
    check_objects(name, "x", dtype)
    integers = dtype.kind in "iub" and dtype != np.uint8
    recordings = wanted.is_recording(shape[1:])
    images = len(shape) in _IMAGE_AXES if wanted.shape is None else len(wanted.shape) == 3 and not recordings
    if dtype.kind not in "fiub" or (integers and images):
        raise InputError(f"{name}: x has dtype {dtype}; give uint8 pixels, or float ones that are preprocessed")
    if 0 in shape or not shape:
        raise InputError(f"{name}: x of shape {shape} is empty; give at least one image, {wanted.array_text()}")
    if _lacks_samples(shape, dtype, wanted):
        raise InputError(f"{name}: x of shape {shape} has no axis of samples; give x[None] if it is a single one")
    if dtype == np.uint8 and len(shape) in _IMAGE_AXES and wanted.takes_images:
        wanted.check_pixels(name, shape[1:])
        return
    if wanted.shape is not None and shape[1:] != wanted.shape and not recordings:
        advice = shape_advice(shape[1:], wanted.shape, wanted.tensors)
        raise InputError(f"{name}: x has shape {shape}, the model takes {wanted.array_text()}; {advice}")
    if dtype != np.uint8 and wanted.shape is None and wanted.channels not in (None, shape[1]):
        _refuse_channels(name, shape, shape[1], wanted)


def check_objects(name: str, array: Literal["x", "y"], dtype: np.dtype[np.generic]) -> None:
    """Raise InputError if an array holds Python objects, which would have to be unpickled from a file."""
    if dtype.hasobject:
        kind = "int" if array == "y" else "'float32'"
        raise InputError(f"{name}: {array} holds Python objects; save {array}.astype({kind})")


def class_indices(name: str, y: NDArray[np.generic], count: int) -> Tensor:
    """Return labels ``(N,)`` int64 of an array ``y`` ``(N,)`` or ``(N, 1)`` of whole numbers or booleans.

    Raises:
        InputError: The labels are not whole numbers, not one per image, or negative.
    """
    check_objects(name, "y", y.dtype)
    if y.dtype.kind not in "iufb":
        raise InputError(f"{name}: labels y have dtype {y.dtype}; give whole numbers, the class indices")
    if y.dtype.kind == "f" and not ((np.abs(y) < 2.0**31) & (y == np.trunc(y))).all():
        raise InputError(f"{name}: labels y have dtype {y.dtype} and are not all whole; give the class indices")
    y = y[:, 0] if y.shape == (count, 1) else y
    if y.shape != (count,):
        raise InputError(f"{name}: labels y have shape {y.shape} and x holds {count} images; give one label per image")
    labels = y.astype(np.int64)  # a uint64 beyond int64 wraps to a negative number and is refused with those
    if labels.min() < 0:
        first = int(np.argmax(labels < 0))
        raise InputError(f"{name}: label y[{first}] is {y[first]}; class indices start at 0")
    return torch.from_numpy(labels)


def shared(array: NDArray[np.generic]) -> Tensor:
    """Return a tensor over the memory of ``array``, which may be read-only: nobody writes to it."""
    if any(stride < 0 for stride in array.strides):
        array = array.copy()
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return torch.from_numpy(array)


def _channels_first(name: str, x: NDArray[np.generic], channels: int | None) -> NDArray[np.generic]:
    """Return a ``(N, C, H, W)`` view of uint8 images."""
    if x.ndim == 3:
        return x[:, np.newaxis]
    _, first, middle, last = x.shape
    counts = (channels,) if channels in (first, last) else _CHANNEL_COUNTS
    if first not in counts and last not in counts:
        raise InputError(f"{name}: no axis of x {x.shape} is 1, 3 or 4 channels; give (N, H, W, C) or (N, C, H, W)")
    only_first = first in counts and last not in counts
    only_square_if_first = first in counts and middle == last and first != middle
    return x if only_first or only_square_if_first else np.moveaxis(x, 3, 1)


def _finite_floats(name: str, x: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return float32, without a copy where it is that already."""
    with np.errstate(over="ignore"):  # what overflows float32 becomes inf and is reported below
        pixels = x.astype(np.float32, copy=False)
    finite = np.isfinite(pixels)
    if not finite.all():
        where = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), x.shape))
        raise InputError(f"{name}: x{list(where)} is {pixels[where]}; replace every NaN and infinity")
    return pixels


def _refuse_channels(name: str, shape: tuple[int, ...], found: int, wanted: Wanted) -> None:
    hint = "give images as it takes them"
    if shape[-1] == wanted.channels:  # nothing is known of the model but its channels
        hint = f"give {moved(-1, 1, wanted.tensors)}, or say how the model takes images (--input-shape)"
    raise InputError(f"{name}: x of shape {shape} has {found} channel(s) and the model takes {wanted.channels}; {hint}")


def _lacks_samples(shape: tuple[int, ...], dtype: np.dtype[np.generic], wanted: Wanted) -> bool:
    """Return whether an array is one input, not an array of them; of bytes, one row is one grey image."""
    if wanted.shape is None:
        return len(shape) == 1
    one_grey = dtype == np.uint8 and len(shape) == 3 and shape[0] == 1
    return shape == wanted.shape and not one_grey
