"""Asking the allocator to keep its pages does what it says where it can, and nothing elsewhere."""

import ctypes
import sys

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

    class Library:
        @staticmethod
        def mallopt(which: int, value: int) -> int:
            calls[which] = value
            return 1

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library)
    assert keep_pages() is True
    assert set(calls) == {-1, -3}
    assert all(1 << 30 <= value < 1 << 31 for value in calls.values())
