"""The page about the use from Python runs from top to bottom, and its assertions hold."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import seenn_convert

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks run in one namespace from the root of the repository; what they assert is so."""
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {"__name__": "python_doc"}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a tiny network: more threads wait for each other, most of all beside other tests
    try:
        with torch.random.fork_rng():  # the page seeds the generator
            exec(compile("\n".join(blocks()), str(PAGE), "exec", dont_inherit=True), namespace)
    finally:
        torch.set_num_threads(threads)


def test_the_page_names_every_option() -> None:
    """The table of options has one row for each field, with its name in front."""
    from dataclasses import fields

    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert {field.name for field in fields(seenn_convert.Options)} <= set(rows)


def test_the_page_names_every_public_name() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [name for name in seenn_convert.__all__ if name != "__version__" and f"`{name}`" not in text] == []
