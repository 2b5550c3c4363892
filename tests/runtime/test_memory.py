"""Asking the allocator to keep its pages does what it says where it can, and nothing elsewhere."""

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from seenn_convert.runtime.memory import keep_pages


def test_elsewhere_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("no library is opened"))
    assert keep_pages() is False


def test_a_library_without_the_setting_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")

    def missing(name: str) -> object:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert keep_pages() is False
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert keep_pages() is False


def test_both_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """M_TRIM_THRESHOLD is -1 and M_MMAP_THRESHOLD is -3 in malloc.h; values are C ints."""
    calls: dict[int, int] = {}

    def mallopt(which: int, value: int) -> int:
        calls[which] = value
        return 1

    def nothing_free(size: int) -> None:
        return None

    library = SimpleNamespace(mallopt=mallopt, malloc=nothing_free, free=SimpleNamespace(), madvise=SimpleNamespace())
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    assert keep_pages() is True
    assert set(calls) == {-1, -3}
    assert all(1 << 30 <= value < 1 << 31 for value in calls.values())


LIES_IN_HUGE_PAGES = """
import ctypes
from seenn_convert.runtime.memory import keep_pages
assert keep_pages()
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
middle, inside = libc.malloc(1 << 26) + (1 << 25), False
for line in open("/proc/self/smaps"):
    first, dash, last = line.split()[0].partition("-")
    if dash:
        inside = int(first, 16) <= middle < int(last, 16)
    elif inside and line.startswith("VmFlags"):
        print("hg" in line.split())
"""


@pytest.mark.skipif(not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="a kernel without huge pages")
def test_the_heap_asks_for_huge_pages() -> None:
    done = subprocess.run([sys.executable, "-c", LIES_IN_HUGE_PAGES], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
