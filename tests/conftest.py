"""What every test shares: one thread, a fixed seed, and golden texts."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
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
