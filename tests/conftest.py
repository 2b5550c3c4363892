"""What every test shares: one thread, a fixed seed, no deadlines, and golden texts."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("busy machine", deadline=None)
settings.load_profile("busy machine")
GOLDEN_FOLDER = Path(__file__).parent / "golden"


class Golden:
    """Compares a text with the file of that name; ``UPDATE_GOLDEN=1`` writes the file instead."""

    def check(self, name: str, text: str) -> None:
        path = GOLDEN_FOLDER / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.write_text(text + "\n", encoding="utf-8")
        assert path.is_file(), f"no golden text {name}; read the program and write it with UPDATE_GOLDEN=1"
        assert text + "\n" == path.read_text(encoding="utf-8")


@pytest.fixture
def golden() -> Golden:
    return Golden()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt here and in child processes; a background job inherits it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
