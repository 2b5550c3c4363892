"""Read images and labels from a NumPy ``.npz`` archive with ``x`` and optionally ``y``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.data.arrays import class_indices, images_of
from seenn_convert.errors import InputError


def read_npz(path: Path, channels: int | None = None) -> tuple[Tensor, Tensor | None]:
    """Read ``x`` and ``y``: pixels ``(N, C, H, W)``, uint8 or preprocessed float32, and labels ``(N,)`` int64 or None.

    A ``uint8`` ``x`` is ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)``, as ``arrays.images_of`` tells them apart.

    Raises:
        InputError: If the archive is damaged, holds no ``x``, or an array has the wrong type, shape or values.
    """
    arrays = _load(path)
    x = arrays["x"]
    if x.dtype.kind == "f" and x.ndim != 4:
        raise InputError(f"{path}: floating-point x has shape {x.shape}; give (N, C, H, W)")
    pixels = images_of(str(path), x, channels)
    return pixels, class_indices(str(path), arrays["y"], len(x)) if "y" in arrays else None


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
