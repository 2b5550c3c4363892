"""Find the event recordings of a folder, N-MNIST files in class folders, and make frames of each when it is asked for.

A file is a row of events of 40 bits, most significant first: 8 bits x, 8 bits y, 1 bit polarity, 23 bits microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seenn_convert.data.events import EventFrames
from seenn_convert.data.readers.class_folders import Found, found_in, named
from seenn_convert.data.sources import ImageSource
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError
from seenn_convert.regular_files import check_regular

EVENT_SUFFIXES = (".bin",)
EVENT_BYTES = 5
OVERFLOW_ROW, OVERFLOW_TIME = 240, 2**13
"""An event in this row is none: it says that the clock has run over, and all later times count from so much later."""

EVENT = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.int8)])


@dataclass(frozen=True)
class EventFiles:
    """Recordings that are read one by one.

    Args:
        root: Folder below which they lie.
        paths: File names relative to ``root``.
        frames: How events become frames.
    """

    root: Path
    paths: tuple[str, ...]
    frames: EventFrames

    def __len__(self) -> int:
        """Return the number of recordings."""
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Return the frames ``(N, 2, H, W)`` float32 of one recording.

        Raises:
            InputError: The file is missing, no regular file, truncated, or holds no event or one outside the sensor.
        """
        path = self.root / self.paths[index]
        return self.frames.of_events(str(path), read_events(path))


def read_events(path: Path) -> NDArray[np.void]:
    """Return the events of an N-MNIST file, with the fields x, y, t and p.

    Raises:
        InputError: It is missing, no regular file, or ends within an event.
    """
    check_regular(path)
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if len(content) % EVENT_BYTES:
        raise InputError(
            f"{path}: {len(content)} bytes are no whole number of events of {EVENT_BYTES} bytes; the file is truncated "
            "or no N-MNIST recording: replace or remove it"
        )
    x, y, high, middle, low = content.reshape(-1, EVENT_BYTES).astype(np.int64).T
    overflow = y == OVERFLOW_ROW
    events = np.empty(len(x), EVENT)
    events["x"], events["y"], events["p"] = x, y, high >> 7
    events["t"] = ((high & 0x7F) << 16 | middle << 8 | low) + np.cumsum(overflow) * OVERFLOW_TIME
    kept: NDArray[np.void] = events[~overflow]
    return kept


def write_events(path: Path, events: NDArray[np.void]) -> None:
    """Write events with the fields x, y, t and p as an N-MNIST file; for data sets that are made.

    Raises:
        InputError: A number does not fit in its bits.
    """
    x, y, t, p = (events[field].astype(np.int64) for field in ("x", "y", "t", "p"))
    if ((x < 0) | (x > 255) | (y < 0) | (y >= OVERFLOW_ROW) | (t < 0) | (t >= 2**23)).any():
        raise InputError(f"{path}: x is at most 255, y below {OVERFLOW_ROW} and t below 2**23 in an N-MNIST file")
    columns = [x, y, (p > 0).astype(np.int64) << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF]
    np.stack(columns, axis=1).astype(np.uint8).tofile(path)


def find_events(root: Path, wanted: Wanted = Wanted()) -> ImageSource:
    """List the recordings below ``root``, by their class names and then file names, as ``find_images`` lists images.

    Raises:
        InputError: As ``find_images``; or it is not said how many frames a recording becomes.
    """
    found = found_in(root, EVENT_SUFFIXES, "recording")
    wanted.check_labelled(root, found.labels is not None)
    return event_files(root, found, wanted)


def list_events(paths: Sequence[Path], wanted: Wanted) -> ImageSource:
    """Return the recordings that ``paths`` name, files or folders, without labels, as ``list_images`` does.

    Raises:
        InputError: A path is not there, or a folder holds no recording; or as ``find_events``.
    """
    return event_files(Path(), Found(tuple(named(paths, EVENT_SUFFIXES, "recording"))), wanted)


def event_files(root: Path, found: Found, wanted: Wanted) -> ImageSource:
    """Return the source of the recordings ``found`` below ``root``."""
    files = EventFiles(root, found.paths, wanted.event_frames(root if found.labels is not None else found.paths[0]))
    return ImageSource(str(root), files, found.labels, found.class_names, found.paths)
