"""Each plot becomes a file; PDF and PNG where the extra is installed."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_reports import fake_comparison, fake_report, typed, typed_comparison

from seenn_convert.errors import InputError
from seenn_convert.report.figures import check_figures, figures_words, write_figures


@pytest.fixture
def without_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the import of the optional library fail."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)


@pytest.mark.usefixtures("without_extra")
def test_every_plot_becomes_an_svg(tmp_path: Path) -> None:
    files = write_figures(typed(fake_report()), tmp_path / "new" / "folder")
    assert [file.name for file in files] == ["accuracy.svg", "trade-off.svg", "exits.svg", "temperatures.svg"]
    for file in files:
        ElementTree.fromstring(file.read_text())


@pytest.mark.usefixtures("without_extra")
def test_a_comparison_has_figures_too(tmp_path: Path) -> None:
    files = write_figures(typed_comparison(fake_comparison()), tmp_path)
    assert [file.stem for file in files] == ["timesteps", "operations", "time", "reliability"]


def test_with_the_extra_pdf_and_png_are_written(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    files = write_figures(typed(fake_report()), tmp_path)
    assert {file.suffix for file in files} == {".svg", ".pdf", ".png"}
    starts = {".svg": b"<svg", ".pdf": b"%PDF", ".png": b"\x89PNG"}
    assert all(file.read_bytes().startswith(starts[file.suffix]) for file in files)


@pytest.mark.usefixtures("without_extra")
def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file cannot be written"):
        check_figures(tmp_path / "file")
    with pytest.raises(InputError, match="file cannot be written"):
        write_figures(typed(fake_report()), tmp_path / "file")


def test_without_the_extra_the_words_say_how_to_get_it() -> None:
    folder = Path("figures")
    assert "pip install 'seenn_convert[figures]'" in figures_words(folder, [folder / "a.svg"])
    assert figures_words(folder, [folder / "a.svg", folder / "a.pdf"]) == "wrote 2 figures to figures"
