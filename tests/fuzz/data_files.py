"""Odd data: archives, IDX files, images and folders, damaged or with headers that lie, are read or refused."""

import gzip
import io
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from fuzz.values import mutated_bytes
from seenn_convert.data.adapters import as_samples
from seenn_convert.data.preprocessing import ImageLayout, Preprocessing

INPUTS: tuple[tuple[tuple[int, ...] | None, ImageLayout], ...] = (
    *(((None, "channels_first"),) * 6), ((1, 8, 8), "channels_first"), ((3, 8, 8), "channels_first"),
    ((8, 8, 3), "channels_last"), ((8, 8), "no_channels"), ((64,), "flat"), ((1, 2, 4, 8), "channels_first"),
)  # fmt: skip
"""What a model takes; mostly it is not known."""

LENGTHS = (0, 1, 2, 3, 8, 9, 64, 255, 65535, 2**31, 2**32 - 1)
TYPES = ("|u1", "<f4", ">f4", "<f8", "<f2", "|b1", "<i8", ">u8", "|O", "<U4", "<c8", "|S3", "<M8[s]", "|V7", "<f16", "[('a','<f4')]", "x")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
FORMATS = ("png", "jpg", "bmp", "webp", "tif", "gif")
NAMES = ("a", "10", "9", "é", "\udcff", "\x1b[31m", "a\nb", ".hidden", "x" * 200, "c.png")


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an endless iterator over odd files of every kind."""
    random_ = random.Random(seed)
    while True:
        make = random_.choice((_archive, _archive, _idx, _image, _folder))
        word = random_.getrandbits(64)
        yield f"{make.__name__} {word}", lambda folder, make=make, word=word: _run(folder, make, word)  # type: ignore[misc]


def _run(folder: Path, make: Callable[[Path, random.Random], Path], word: int) -> None:
    """Write a file and read all of it, as some model would have it."""
    random_ = random.Random(word)
    path = make(folder, random_)
    size, (shape, layout) = random_.choice((None, None, 8, 500)), random_.choice(INPUTS)
    preprocessing = Preprocessing(
        resize=size, crop=size, mean=random_.choice((None, None, (0.5,), (0.1, 0.2, 0.3))), layout=layout
    )
    data = as_samples(path, preprocessing, input_shape=shape, labelled=random_.random() < 0.1)
    for images, _ in data.batches(4):
        assert tuple(images.shape[1:]) == data.image_shape
    data.fingerprint()


def _archive(folder: Path, random_: random.Random) -> Path:
    """Write an archive whose arrays may announce another shape or type than they have, or be damaged."""
    path, shape = folder / "data.npz", random_.choice((None, (12, 8, 8, 3), (12, 64), (12, 1, 2, 4, 8), (12, 8, 8)))
    with zipfile.ZipFile(path, "w", random_.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name in random_.choice((("x",), ("x", "y"), ("x", "y", "z"), ("x", "y"), ("y",))):
            kind = random_.choice(("u1", "f4", "i8"))
            values = np.arange(12 * 3 * 64).astype(kind)
            count = 12 if name == "y" else int(np.prod(shape or (12, 64)))
            content = _member(values[:count].reshape((12,) if name == "y" else shape or (12, 64)), random_)
            archive.writestr(random_.choice((name + ".npy",) * 9 + (name,)), content)
    if random_.random() < 0.4:
        path.write_bytes(mutated_bytes(path.read_bytes(), random_))
    return path


def _member(values: np.ndarray[Any, Any], random_: random.Random) -> bytes:
    buffer = io.BytesIO()
    shape = list(values.shape)
    if random_.random() < 0.4:
        shape[random_.randrange(len(shape))] = random_.choice(LENGTHS)
    if random_.random() < 0.1:
        shape += [random_.choice(LENGTHS)] * random_.randrange(40)
    kind = random_.choice(TYPES) if random_.random() < 0.3 else values.dtype.str
    header = {"descr": kind, "fortran_order": random_.random() < 0.2, "shape": tuple(shape)}
    npy.write_array_header_1_0(buffer, header)
    if values.dtype.kind == "f" and random_.random() < 0.2:
        values.reshape(-1)[random_.randrange(values.size)] = random_.choice((np.nan, np.inf))
    content = buffer.getvalue() + values.tobytes()
    return mutated_bytes(content, random_) if random_.random() < 0.3 else content


def _idx(folder: Path, random_: random.Random) -> Path:
    """Write IDX files, packed or not, whose headers may lie."""
    ending = random_.choice(("", ".gz"))
    for kind, axes in (("images-idx3", 3), ("labels-idx1", 1))[: random_.choice((1, 2, 2))]:
        shape = [5, 8, 8][:axes]
        content = bytes(random_.randrange(3) for _ in range(int(np.prod(shape))))
        if random_.random() < 0.3:
            shape[random_.randrange(axes)] = random_.choice(LENGTHS)
        content = bytes([0, 0, 8, axes]) + struct.pack(f">{axes}I", *shape) + content
        if random_.random() < 0.3:
            content = mutated_bytes(content, random_)
        if ending:
            content = gzip.compress(content + bytes(random_.choice((0, 0, 0, 2**24))))
        if random_.random() < 0.2:
            content = mutated_bytes(content, random_)
        (folder / f"train-{kind}-ubyte{ending}").write_bytes(content)
    return folder / f"train-images-idx3-ubyte{ending}"


def _image(folder: Path, random_: random.Random) -> Path:
    """Write a folder of images of several modes, some damaged."""
    for index in range(random_.randrange(1, 4)):
        _write_image(folder / f"{index}.{random_.choice(FORMATS)}", random_)
    return folder


def _write_image(path: Path, random_: random.Random) -> None:
    size = (random_.choice((1, 8, 8, 8, 30)), random_.choice((1, 8, 8, 8, 300)))
    image = Image.new(random_.choice(MODES), size)
    try:
        image.save(path)
    except (OSError, ValueError, KeyError):  # not every format has every mode
        image.convert("RGB").save(path)
    if random_.random() < 0.5:
        path.write_bytes(mutated_bytes(path.read_bytes(), random_))


def _folder(folder: Path, random_: random.Random) -> Path:
    """Write class folders with odd names, links, pipes and empty files."""
    root = folder / "classes"
    root.mkdir()
    for name in random_.sample(NAMES, random_.randrange(1, 4)):
        inside = root / name
        if random_.random() < 0.8:
            inside.mkdir()
            _write_image(inside / f"a.{random_.choice(FORMATS)}", random_)
        odd = inside if not inside.exists() else inside / random_.choice(("b.png", "b", ".b.png"))
        kind = random_.randrange(8)
        if kind == 0:
            os.mkfifo(odd)
        elif kind == 1:
            odd.symlink_to(random_.choice((root, folder, odd, Path("/dev/zero"), Path("nowhere"))))
        elif kind == 2:
            odd.write_bytes(b"")
        elif kind == 3:
            odd.mkdir()
    return root
