"""The command ``predict``: its formats, its files, and what it does with bad images."""

import csv
import json
from pathlib import Path

import pytest
import small_artifacts as small
import torch
from PIL import Image

from seenn_convert.cli.main import main


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    small.artifact().save(tmp_path / "net")
    return tmp_path / "net"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    for number, image in enumerate((small.draw(3, 5)[0].clamp(0, 1) * 255).to(torch.uint8)):
        Image.fromarray(image[0].numpy()).save(tmp_path / "images" / "deep" / f"{number}.png")
    return tmp_path / "images"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        main(["predict", *map(str, arguments)])
    except SystemExit as exit_:
        return exit_.code or 0, *capsys.readouterr()  # type: ignore[return-value]
    return 0, *capsys.readouterr()  # type: ignore[return-value]


def test_a_table_is_printed(capsys: pytest.CaptureFixture[str], artifact: Path, folder: Path) -> None:
    code, out, err = run(capsys, artifact, folder)
    assert (code, err) == (0, "")  # no progress in a pipe
    assert out.splitlines()[0].split() == ["image", "class", "confidence", "timestep"]
    assert len(out.splitlines()) == 6
    assert "3 images, " in out


def test_every_format_says_the_same(
    capsys: pytest.CaptureFixture[str], artifact: Path, folder: Path, tmp_path: Path
) -> None:
    assert run(capsys, artifact, folder, "-o", tmp_path / "p.csv")[:2] == (0, "")
    as_csv = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    lines = run(capsys, artifact, folder, "--format", "jsonl")[1].splitlines()
    as_json = [json.loads(line) for line in lines]

    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in as_json] == as_csv
    assert list(as_json[0]) == ["path", "label", "class", "confidence", "timestep"]


def test_a_bad_image_stops_it_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], artifact: Path, folder: Path, tmp_path: Path
) -> None:
    (folder / "z.png").write_bytes(b"bad")
    (tmp_path / "p.csv").write_text("old")
    code, out, err = run(capsys, artifact, folder, "-o", tmp_path / "p.csv")

    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1 and "z.png: not a readable image" in err
    assert (tmp_path / "p.csv").read_text() == "old"


def test_a_place_that_cannot_be_written_is_said_first(
    capsys: pytest.CaptureFixture[str], artifact: Path, folder: Path, tmp_path: Path
) -> None:
    code, _, err = run(capsys, artifact, folder, "-o", tmp_path / "none" / "p.csv")
    assert code == 1 and "no such folder" in err


def test_an_extension_that_is_no_format_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(tmp_path / "net"), str(tmp_path / "a.png"), "-o", str(tmp_path / "answers.xyz")])
    assert stop.value.code == 1
    assert "answers.xyz: the extension says no format; use .csv, .jsonl or .txt" in capsys.readouterr().err
