"""Images before any preprocessing: what every reader gives, and a store of images that were read once."""

import tempfile
import unicodedata
import weakref
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.errors import InputError

KEPT_IN_MEMORY = 2**30
"""Bytes of images that are kept in memory; more of them go to a temporary file."""


_CONTROLS = ("Cc", "Zl", "Zp")
"""Categories of Unicode that terminals act on: control characters and line breaks."""


class Images(Protocol):
    """Images by number."""

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int, /) -> Tensor:
        """Return one image."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Images as they were read, before any preprocessing; what a reader gives to a ``Dataset``.

    Attributes:
        name: Path or kind, for messages.
        images: Each ``(C, H, W)`` uint8 or, if the user has preprocessed it, float32 of any shape; uint8 of any shape,
            too, for models that take no images. One tensor of all, an ``ImageStore``, or what reads them one by one.
        labels: Class indices ``(N,)`` int64.
        class_names: Names of the classes, by label.
        paths: File name of each image, relative to ``name``, if each has a file of its own.

    Raises:
        InputError: The name of a class holds control characters, which would reach terminals and pages.
    """

    name: str
    images: Images
    labels: Tensor | None = None
    class_names: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the names of the classes."""
        for name in self.class_names or ():
            if any(unicodedata.category(character) in _CONTROLS for character in name):
                raise InputError(f"{self.name}: the name of class {name!r} holds control characters; rename the class")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        """Return name and number of the images."""
        return f"ImageSource({self.name}: {len(self)} images)"

    def read(self, index: int) -> Tensor:
        """Return one image."""
        return self.images[index]


class ImageStore:
    """Images one behind the other, in memory or, when they are too many, in a temporary file without a name.

    The file goes when the store does, and the operating system removes it if the process is killed.
    """

    def __init__(self, in_memory: int = KEPT_IN_MEMORY) -> None:
        self._file = tempfile.SpooledTemporaryFile(in_memory)  # noqa: SIM115 - it lives as long as the store
        weakref.finalize(self, self._file.close)
        self._places: list[tuple[int, torch.dtype, torch.Size]] = []

    def add(self, image: Tensor) -> None:
        """Store one more image, before any is read.

        Raises:
            InputError: The disk is full.
        """
        self._places.append((self._file.tell(), image.dtype, image.shape))
        try:
            self._file.write(image.contiguous().numpy().tobytes())
        except OSError as error:
            raise InputError(
                f"the images cannot be kept in {tempfile.gettempdir()} ({error.strerror}); set TMPDIR to a folder with "
                "more space, or give fewer images"
            ) from error

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._places)

    def __getitem__(self, index: int) -> Tensor:
        """Return one image."""
        start, dtype, shape = self._places[index]
        self._file.seek(start)
        content = bytearray(self._file.read(shape.numel() * dtype.itemsize))
        return torch.frombuffer(content, dtype=dtype).reshape(shape)
