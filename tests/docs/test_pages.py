"""Every Python block of README and documentation runs, each page as one program in a folder of its own."""

import re
from pathlib import Path

import doc_pages
import pytest

OWN_TESTS = {"from_scratch.md", "python.md"}
RUN = [
    page
    for page in (doc_pages.ROOT / "README.md", *doc_pages.PAGES)
    if page.name not in OWN_TESTS and doc_pages.blocks(page)
]


@pytest.mark.slow
@pytest.mark.parametrize("page", [
    pytest.param(page, id=page.stem) for page in RUN
])  # fmt: skip
def test_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    doc_pages.run(page)


def test_every_page_with_a_block_is_run() -> None:
    """The pages that promise to be programs are among those that run."""
    names = {page.stem for page in RUN}
    assert {"README", "own-data", "class-names", "certificates", "serve", "state", "temporal-differences"} <= names
    assert {
        "aten-operator",
        "neuron-type",
        "threshold-rule",
        "exit-score",
        "pass",
        "data-reader",
        "onnx-operator",
    } <= names


def test_the_readme_is_a_door() -> None:
    assert len((doc_pages.ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Sphinx checks the links between pages of the site; these pages are read on their own, too."""
    links = re.findall(r"\]\(([^)#:]+)\)", (doc_pages.ROOT / page).read_text(encoding="utf-8"))

    assert links and [link for link in links if not (doc_pages.ROOT / link).exists()] == []
