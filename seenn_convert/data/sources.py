"""Images before any preprocessing: the interface of every reader, arrays in memory, and images that were kept."""

import tempfile
import weakref
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.errors import InputError

KEPT_IN_MEMORY = 2**30
"""Bytes of images that are kept in memory; more of them go to a temporary file."""


class ImageSource(Protocol):
    """Images as they were read, before any preprocessing; what a reader gives to a ``Dataset``."""

    @property
    def name(self) -> str:
        """Path, for messages."""

    @property
    def labels(self) -> Tensor | None:
        """Class indices ``(N,)`` int64."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, by label."""

    @property
    def paths(self) -> tuple[str, ...] | None:
        """File name of each image, relative to ``name``."""

    @property
    def preprocessed(self) -> bool:
        """Whether ``read`` gives what the model takes (float32) and not pixels (uint8)."""

    def __len__(self) -> int:
        """Return the number of images."""

    def read(self, index: int) -> Tensor:
        """Return one image ``(C, H, W)``, uint8 or float32."""


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images that are in memory as one array: ``(N, C, H, W)`` uint8 or, if preprocessed, ``(N, ...)`` float32."""

    name: str
    pixels: Tensor
    labels: Tensor | None

    class_names = None
    paths = None

    @property
    def preprocessed(self) -> bool:
        """Whether the images are used as they are."""
        return self.pixels.is_floating_point()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pixels)

    def read(self, index: int) -> Tensor:
        """Return one image."""
        return self.pixels[index]


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


@dataclass(frozen=True, eq=False)
class KeptImages:
    """Images that were read once, from a loader say, so that each is the same whenever it is asked for."""

    name: str
    store: ImageStore
    labels: Tensor | None
    class_names: tuple[str, ...] | None

    paths = None

    @property
    def preprocessed(self) -> bool:
        """Whether the images are used as they are."""
        return self.store[0].is_floating_point()

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.store)

    def read(self, index: int) -> Tensor:
        """Return one image."""
        return self.store[index]
