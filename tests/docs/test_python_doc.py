"""The page about the use from Python runs from top to bottom, and its assertions hold."""

import re
from dataclasses import fields
from pathlib import Path

import doc_pages
import pytest

import seenn_convert

PAGE = doc_pages.ROOT / "docs" / "reference" / "python.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    doc_pages.run(PAGE)


def test_the_page_names_every_option() -> None:
    """The table of options has one row for each field, with its name in front."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert {field.name for field in fields(seenn_convert.Options)} <= set(rows)


def test_the_page_names_every_public_name() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [name for name in seenn_convert.__all__ if name != "__version__" and f"`{name}`" not in text] == []
