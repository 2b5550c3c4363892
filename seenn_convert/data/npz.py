"""Read images and labels from a NumPy ``.npz`` archive with ``x`` and optionally ``y``."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.errors import InputError

_CHANNEL_COUNTS = (1, 3, 4)


def read_npz(path: Path, channels: int | None = None) -> tuple[Tensor, Tensor | None]:
    """Read ``x`` and ``y``; floating-point ``x`` is taken as already preprocessed.

    A ``uint8`` ``x`` is ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``. Of the last two, the one whose channel
    axis is ``channels`` long is meant or, where no axis is, 1, 3 or 4 long. If both are, the one with square images is
    meant, and ``(N, H, W, C)`` if that leaves both or neither.

    Args:
        path: The archive.
        channels: How many channels the model takes, if that is known.

    Returns:
        Pixels ``(N, C, H, W)``, uint8 or float32, and labels ``(N,)`` int64 or None.

    Raises:
        InputError: If the archive is damaged, holds no ``x``, or an array has the wrong type, shape or values.
    """
    arrays = _load(path)
    x = arrays["x"]
    if x.dtype == np.uint8:
        pixels = _channels_first(path, x, channels)
    elif x.dtype.kind == "f":
        pixels = _finite_floats(path, x)
    else:
        raise InputError(f"{path}: x has dtype {x.dtype}; give uint8 pixels, or float ones that are preprocessed")
    if 0 in pixels.shape:
        raise InputError(f"{path}: x of shape {x.shape} is empty; give at least one image")
    if channels is not None and pixels.shape[1] != channels:
        _refuse_channels(path, x, pixels.shape[1], channels)
    labels = _labels(path, arrays["y"], len(x)) if "y" in arrays else None
    return torch.from_numpy(pixels), labels


def _load(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return ``x`` and, where there is one, ``y``."""
    try:
        with path.open("rb") as file:  # opened here, because numpy leaves a damaged file open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(
                    f"{path}: not an npz archive but a single array; write it with numpy.savez(path, x=...)"
                )
            names = archive.files
            arrays: dict[str, NDArray[np.generic]] = {
                key: np.asarray(archive[key]) for key in ("x", "y") if key in names
            }
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen unrelated types for damaged bytes
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"{path}: not a readable npz archive ({reason}); write it again with numpy.savez") from error
    if "x" not in arrays:
        raise InputError(f"{path}: holds no array x, only {', '.join(names) or 'nothing'}; name the images x, labels y")
    return arrays


def _channels_first(path: Path, x: NDArray[np.generic], channels: int | None) -> NDArray[np.generic]:
    """Return a ``(N, C, H, W)`` view of uint8 images."""
    if x.ndim == 3:
        return x[:, np.newaxis]
    if x.ndim != 4:
        raise InputError(f"{path}: uint8 x has shape {x.shape}; give (N, H, W), (N, H, W, C) or (N, C, H, W)")
    _, first, middle, last = x.shape
    counts = (channels,) if channels in (first, last) else _CHANNEL_COUNTS
    if first not in counts and last not in counts:
        raise InputError(f"{path}: no axis of x {x.shape} is 1, 3 or 4 channels; give (N, H, W, C) or (N, C, H, W)")
    only_first = first in counts and last not in counts
    only_square_if_first = first in counts and middle == last and first != middle
    return x if only_first or only_square_if_first else np.moveaxis(x, 3, 1)


def _finite_floats(path: Path, x: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return ``(N, C, H, W)`` float32, without a copy where it is that already."""
    if x.ndim != 4:
        raise InputError(f"{path}: floating-point x has shape {x.shape}; give (N, C, H, W)")
    with np.errstate(over="ignore"):  # what overflows float32 becomes inf and is reported below
        pixels = x.astype(np.float32, copy=False)
    finite = np.isfinite(pixels)
    if not finite.all():
        where = tuple(int(i) for i in np.unravel_index(int(np.argmin(finite)), x.shape))
        raise InputError(f"{path}: x{list(where)} is {pixels[where]}; replace every NaN and infinity")
    return pixels


def _refuse_channels(path: Path, x: NDArray[np.generic], found: int, wanted: int) -> None:
    hint = "write the images as the model takes them"
    if x.dtype.kind == "f" and x.shape[-1] == wanted:
        hint = "float images are (N, C, H, W), and these look like (N, H, W, C)"
    raise InputError(f"{path}: x of shape {x.shape} has {found} channel(s) and the model takes {wanted}; {hint}")


def _labels(path: Path, y: NDArray[np.generic], count: int) -> Tensor:
    if y.dtype.kind not in "iu":
        raise InputError(f"{path}: labels y have dtype {y.dtype}; give whole numbers, the class indices")
    if y.shape != (count,):
        raise InputError(f"{path}: labels y have shape {y.shape} and x holds {count} images; give one label an image")
    labels = y.astype(np.int64)  # a uint64 beyond int64 wraps to a negative number and is refused with those
    if labels.min() < 0:
        first = int(np.argmax(labels < 0))
        raise InputError(f"{path}: label y[{first}] is {y[first]}; class indices start at 0")
    return torch.from_numpy(labels)
