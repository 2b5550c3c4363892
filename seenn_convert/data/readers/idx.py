"""Read greyscale images and their labels from IDX files, the format of MNIST and its kin, gzipped or not."""

import gzip
import math
import re
import struct
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"
_UNSIGNED_BYTE = 8
_IMAGES_NAME = re.compile(r"(?P<head>.*)images(?P<dot>[-.])idx3-ubyte(\.gz)?")


def read_idx(path: Path, channels: int | None = None) -> tuple[Tensor, Tensor | None]:
    """Read ``*images-idx3-ubyte[.gz]`` and, where it lies beside it, ``*labels-idx1-ubyte[.gz]``.

    Returns pixels ``(N, C, H, W)`` uint8, the grey image repeated for 3 channels, and labels ``(N,)`` int64 or None.

    Raises:
        InputError: If a file is damaged or not of this format, the counts differ, or ``channels`` is not 1 or 3.
    """
    if channels not in (None, 1, 3):
        raise InputError(f"{path}: IDX images are greyscale and the model takes {channels} channels; give other images")
    images = torch.from_numpy(_read_array(path, axes=3)).unsqueeze(1).expand(-1, channels or 1, -1, -1)
    labels_path = _labels_beside(path)
    if labels_path is None:
        return images, None
    labels = _read_array(labels_path, axes=1)
    if len(labels) != len(images):
        raise InputError(f"{labels_path}: {len(labels)} labels for {len(images)} images in {path.name}; get both again")
    return images, torch.from_numpy(labels.astype(np.int64))


def _read_array(path: Path, axes: int) -> NDArray[np.uint8]:
    """Return the array of a file: magic number, one big-endian length per axis, then the bytes."""
    content = _read_bytes(path)
    magic, start = bytes([0, 0, _UNSIGNED_BYTE, axes]), 4 + 4 * axes
    if content[:4] != magic:
        kind, found = "images" if axes == 3 else "labels", content[:4].hex()
        raise InputError(f"{path}: starts with 0x{found}, not with 0x{magic.hex()} as IDX {kind} do; give such a file")
    if len(content) < start:
        raise InputError(f"{path}: ends within the header; get the file again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if math.prod(shape) != len(content) - start:
        raise InputError(f"{path}: announces {shape} bytes and holds {len(content) - start}; get the file again")
    if 0 in shape:
        raise InputError(f"{path}: announces {shape} and is empty; give at least one image")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _read_bytes(path: Path) -> bytes:
    """Return the content, unpacked if it is gzipped, whatever the file is called."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
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
