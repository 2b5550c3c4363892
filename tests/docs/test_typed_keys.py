"""The tables of keys say what the docstrings of the dataclasses say, level by level."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import doc_pages
import pytest


@pytest.fixture(autouse=True)
def _docs_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(doc_pages.ROOT / "docs"), *sys.path])


@dataclass(frozen=True)
class Layer:
    """A layer.

    Attributes:
        rate: Spikes per timestep.
    """

    rate: float


@dataclass(frozen=True)
class Base:
    """Shared.

    Attributes:
        name: What it is called,
            in full.
    """

    name: str


@dataclass(frozen=True)
class Document(Base):
    """A document.

    Attributes:
        layers: Name -> layer; None if unknown.
        counts: Of things.
    """

    layers: Mapping[str, Layer] | None
    counts: tuple[int, ...]


def test_every_level_has_its_table() -> None:
    from typed_keys import key_tables

    text = "\n".join(key_tables(Document))

    assert "## Top level\n\nA document.\n" in text
    assert "| `name` | text | What it is called, in full. |" in text
    assert "| `layers` | object: text to object or null | Name -> layer; null if unknown. |" in text
    assert "| `counts` | list of whole number | Of things. |" in text
    assert "## `layers{}`\n\nA layer.\n" in text and "| `rate` | number | Spikes per timestep. |" in text
