"""Read greyscale images and their labels from IDX files, the format of MNIST and its kin, gzipped or not."""

import gzip
import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.data.arrays import class_indices, shared
from seenn_convert.data.readers.free_memory import check_fits
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8
_MOST_UNPACKED = 1032
"""Bytes that one byte of a gzipped file can stand for at most."""

_IMAGES_NAME = re.compile(r"(?P<head>.*)images(?P<dot>[-.])idx3-ubyte(\.gz)?")


class Readable(Protocol):
    """A file, packed or not."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes."""


def read_idx(path: Path, wanted: Wanted = Wanted()) -> tuple[Tensor, Tensor | None]:
    """Read ``*images-idx3-ubyte[.gz]`` and, where it lies beside it, ``*labels-idx1-ubyte[.gz]``.

    Returns pixels ``(N, C, H, W)`` uint8, the grey image repeated for 3 channels, and labels ``(N,)`` int64 or None.
    No more is unpacked than the header announces.

    Raises:
        InputError: If a file is damaged or not of this format, the counts differ, labels are needed and not there, the
            images are larger than the free memory, or the model takes neither 1 nor 3 channels.
    """
    if wanted.channels not in (None, 1, 3) or not wanted.takes_images:
        wants = f"{wanted.channels} channels" if wanted.takes_images else f"inputs of shape {wanted.shape}"
        raise InputError(f"{path}: IDX images are greyscale and the model takes {wants}; {wanted.npz_advice()}")
    labels_path = _labels_beside(path)
    wanted.check_labelled(path, labels_path is not None)
    count, *image = _announced(path, axes=3)
    wanted.check_pixels(path, image)
    labels = None if labels_path is None else _read_array(labels_path, axes=1)
    if labels is not None and len(labels) != count:
        raise InputError(f"{labels_path}: {len(labels)} labels for {count} images in {path.name}; get both again")
    images = shared(_read_array(path, axes=3)).unsqueeze(1).expand(-1, wanted.channels or 1, -1, -1)
    return images, None if labels is None else class_indices(str(labels_path), labels, count)


def _announced(path: Path, axes: int) -> tuple[int, ...]:
    with _opened(path) as file:
        return _shape(path, file, axes)


def _read_array(path: Path, axes: int) -> NDArray[np.uint8]:
    """Return the array of a file: magic number, one big-endian length per axis, then the bytes."""
    with _opened(path) as file:
        shape = _shape(path, file, axes)
        size = math.prod(shape)
        if size > _MOST_UNPACKED * path.stat().st_size:
            raise InputError(f"{path}: announces {shape} bytes and holds fewer; get the file again")
        check_fits(f"{path}: an array of shape {shape}", size)
        content = file.read(size + 1)
    if len(content) != size:
        held = len(content) if len(content) < size else "more"
        raise InputError(f"{path}: announces {shape} bytes and holds {held}; get the file again")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _shape(path: Path, file: Readable, axes: int) -> tuple[int, ...]:
    """Read the header of a file and return the lengths of its axes."""
    magic = bytes([0, 0, _UNSIGNED_BYTE, axes])
    head = file.read(4 + 4 * axes)
    if head[:4] != magic:
        kind, found = "images" if axes == 3 else "labels", head[:4].hex()
        raise InputError(f"{path}: starts with 0x{found}, not with 0x{magic.hex()} as IDX {kind} do; give such a file")
    if len(head) < 4 + 4 * axes:
        raise InputError(f"{path}: ends within the header; get the file again")
    shape = struct.unpack(f">{axes}I", head[4:])
    if 0 in shape:
        raise InputError(f"{path}: announces {shape} and is empty; give at least one image")
    return shape


@contextmanager
def _opened(path: Path) -> Iterator[Readable]:
    """Give the file, unpacked as it is read if it is gzipped, whatever it is called."""
    check_regular(path)
    try:
        with path.open("rb") as file:
            packed = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            yield gzip.GzipFile(fileobj=file) if packed else file
    except InputError:
        raise
    except Exception as error:  # gzip and zlib raise several unrelated types for damaged bytes
        reason = str(error) or type(error).__name__
        raise InputError(f"{path}: not a readable IDX file ({reason}); get the file again") from error


def _labels_beside(path: Path) -> Path | None:
    name = _IMAGES_NAME.fullmatch(path.name)
    if name is None:
        return None
    stem = f"{name['head']}labels{name['dot']}idx1-ubyte"
    ending = ".gz" if path.suffix == ".gz" else ""
    beside = [path.with_name(stem + ending), path.with_name(stem + (".gz" if not ending else ""))]
    return next((file for file in beside if file.exists()), None)
