"""Read images and labels from a NumPy ``.npz`` archive with ``x`` and optionally ``y``."""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.data.arrays import check_images, check_objects, class_indices, images_of
from seenn_convert.data.readers.free_memory import check_fits
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError, reason_of
from seenn_convert.regular_files import check_regular

_SHARED_TYPES = (np.uint8, np.float32)
"""Types of numbers that are used where they lie; others are converted, so that they are in memory twice."""


@dataclass(frozen=True)
class _Header:
    """What a member of an archive announces."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    stored: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_npz(path: Path, wanted: Wanted = Wanted()) -> tuple[Tensor, Tensor | None]:
    """Read ``x`` and ``y``: pixels ``(N, C, H, W)``, uint8 or preprocessed float32, and labels ``(N,)`` int64 or None.

    ``arrays.images_of`` says what ``x`` may be. What the archive announces is judged before the arrays are read.

    Raises:
        InputError: If the archive is damaged, holds no ``x``, no ``y`` where labels are needed, or an array has the
            wrong type, shape or values, or is larger than the free memory.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            if file.read(6) == npy.MAGIC_PREFIX:
                raise InputError(
                    f"{path}: not an npz archive but a single array; write it with numpy.savez(path, x=...)"
                )
            with zipfile.ZipFile(file) as archive:
                headers = _headers(archive)
                _check(path, headers, archive.namelist(), wanted)
                arrays = {name: _array(archive, header) for name, header in headers.items()}
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen unrelated types for damaged bytes
        raise InputError(
            f"{path}: not a readable npz archive ({reason_of(error)}); write it again with numpy.savez"
        ) from error
    pixels = images_of(str(path), arrays["x"], wanted)
    return pixels, class_indices(str(path), arrays["y"], len(pixels)) if "y" in arrays else None


def _headers(archive: zipfile.ZipFile) -> dict[str, _Header]:
    """Return what ``x`` and ``y`` announce, as far as they are there."""
    found = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in ("x", "y"):
            with archive.open(info) as member:
                version = npy.read_magic(member)
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(member)
            found[name] = _Header(info.filename, tuple(int(size) for size in shape), dtype, info.file_size)
    return found


def _check(path: Path, headers: dict[str, _Header], names: list[str], wanted: Wanted) -> None:
    """Raise InputError if what is announced cannot be used."""
    if "x" not in headers:
        listed = ", ".join(name.removesuffix(".npy") for name in names) or "nothing"
        raise InputError(f"{path}: holds no array x, only {listed}; name the images x, labels y")
    wanted.check_labelled(path, "y" in headers)
    x = headers["x"]
    check_images(str(path), x.shape, x.dtype, wanted)
    if "y" in headers:
        check_objects(str(path), "y", headers["y"].dtype)
    if "y" in headers and headers["y"].shape[:1] != x.shape[:1]:
        raise InputError(
            f"{path}: labels y have shape {headers['y'].shape} and x holds {x.shape[0]} images; "
            "give one label per image"
        )
    for name, header in headers.items():
        if header.bytes > header.stored:
            raise InputError(f"{path}: {name} announces {header.bytes} bytes and holds fewer; write the file again")
    copied = 0 if x.dtype in _SHARED_TYPES else 4 * math.prod(x.shape)
    check_fits(f"{path}: x of shape {x.shape}", copied + sum(header.bytes for header in headers.values()))


def _array(archive: zipfile.ZipFile, header: _Header) -> NDArray[np.generic]:
    with archive.open(header.member) as member:
        return np.asarray(npy.read_array(member, allow_pickle=False))
