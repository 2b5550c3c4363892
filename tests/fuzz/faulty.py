"""Trials that break the law in every way, for the test of the harness."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fuzz.harness import MEMORY
from seenn_convert.errors import InputError


def trials(seed: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Return an iterator over a trial of each kind; the same for every seed."""
    yield from (("fine", _nothing), ("crash", _crash), ("refused", _refuse), ("error", _fail), ("memory", _fill),
                ("time", _compute))  # fmt: skip


def _nothing(folder: Path) -> None:
    pass


def _crash(folder: Path) -> None:
    (folder / "input").write_text("odd")
    os.kill(os.getpid(), signal.SIGSEGV)


def _refuse(folder: Path) -> None:
    raise InputError("no")


def _fail(folder: Path) -> None:
    raise KeyError("lost")


def _fill(folder: Path) -> None:
    bytearray(b"\1") * (MEMORY + (1 << 27))


def _compute(folder: Path) -> None:
    start = time.process_time()
    while time.process_time() < start + 1:
        pass
