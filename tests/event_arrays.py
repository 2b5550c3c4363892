"""Events by hand, as users and data sets hold them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EVENT = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])


def events(*rows: tuple[int, int, int, int], dtype: np.dtype[np.void] = EVENT) -> NDArray[np.void]:
    """Return an array of events, each (x, y, t, p)."""
    return np.array(list(rows), dtype)


def event_bytes(*rows: tuple[int, int, int, int]) -> bytes:
    """Return events as N-MNIST files hold them: 8 bits x, 8 bits y, 1 bit polarity, 23 bits time."""
    return b"".join((x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big") for x, y, t, p in rows)


def write_recordings(root: Path, classes: Sequence[str], count: int, seed: int = 0, size: int = 8) -> None:
    """Write random recordings of a sensor of ``size`` x ``size`` pixels into class folders."""
    random = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            rows = zip(*random.integers(0, [size, size, 10_000, 2], (60, 4)).T.tolist(), strict=True)
            (root / name / f"{number:05d}.bin").write_bytes(event_bytes(*rows))
