"""The demo runs anywhere, names the classes, and never costs anybody the page of the run before."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from seenn_convert import sample
from seenn_convert.artifact.artifact import load_artifact
from seenn_convert.cli.demo import demo
from seenn_convert.workflows import evaluate
from seenn_convert.workflows.convert import run


def shape(text: str) -> list[str]:
    """Return the lines of ``text`` with each number as ``#``, however many threads there are."""
    lines = (re.sub(r"[-+]?\d+(\.\d+)?", "#", line) for line in text.strip().splitlines())
    return [" ".join(line.replace("# threads", "# thread").split()) for line in lines]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a demo wrote in an empty folder, and what it printed."""
    place = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        result = CliRunner().invoke(demo, [], catch_exceptions=False)
    assert result.exit_code == 0 and "look at demo-output/report.html" in result.output
    return place / "demo-output", result.output


@pytest.fixture(scope="module")
def folder(shown: tuple[Path, str]) -> Path:
    """The folder that the demo wrote."""
    return shown[0]


@pytest.mark.slow
def test_the_artifact_and_its_page_name_the_classes(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert load_artifact(folder).class_names == sample.CLASS_NAMES == tuple(report["model"]["class_names"])
    examples, page = report["evaluation"]["examples"], (folder / "report.html").read_text()
    shown = {sample.CLASS_NAMES[one["prediction"]] for one in (*examples["easy"], *examples["hard"])}
    assert shown and all(name in page for name in shown)
    assert report["evaluation"]["early_exit"]["accuracy"] > 0.9


@pytest.mark.slow
def test_the_tutorial_shows_what_the_demo_prints(shown: tuple[Path, str]) -> None:
    """Line by line, up to the numbers and the spaces between columns."""
    page = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    block = page.partition("```text\n")[2].partition("\n```")[0]

    assert shape(block) == shape(shown[1])


@pytest.mark.slow
def test_a_demo_that_is_stopped_leaves_the_one_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    artifact = load_artifact(folder)
    monkeypatch.setattr(run, "convert", lambda *_, **__: artifact)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(evaluate, "evaluate", stop)
    CliRunner().invoke(demo, ["-o", str(folder)])

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
