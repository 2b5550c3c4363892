"""What the pages show is what the benchmarks measured: writing the tables again changes nothing."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "benchmarks")
    import write_tables


def test_the_tables_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[Path, str] = {}
    monkeypatch.setattr(Path, "write_text", lambda path, text, **_: written.update({path: text}))
    write_tables.main()
    assert [str(path) for path, text in written.items() if path.read_text(encoding="utf-8") != text] == []
    assert ROOT / "README.md" in written and len(written) >= len(write_tables.TITLES)


def test_between_replaces_what_stands_between_the_marks() -> None:
    text = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    assert write_tables.between(text, "x", "new") == "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n"
