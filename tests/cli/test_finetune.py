"""``seenn-convert finetune``: an artifact that evaluates, its state beside it until then, and what is wrong said first."""

from pathlib import Path

import pytest
import small_artifacts as small
from numpy import savez

from seenn_convert.cli.main import main
from seenn_convert.training.loop import Course


def run(*arguments: object) -> int:
    try:
        main([str(one) for one in arguments])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small.artifact().save(tmp_path / "converted")
    pixels, labels = small.draw(160, 7)
    savez(tmp_path / "more.npz", x=pixels.numpy(), y=labels.numpy())
    return tmp_path


def test_it_trains_and_the_result_evaluates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "tuned"
    options = ["--epochs", "1", "--batch-size", "32", "--held-out", "40", "-T", "2"]
    main_options = ["finetune", folder / "converted", "--data", folder / "more.npz", "-o", out]
    code = run(*main_options, *options)
    text = capsys.readouterr().out
    assert code == 0 and "fine-tuned: 3 updates of 32 images" in text and f"wrote {out}" in text
    assert sorted(one.name for one in folder.iterdir()) == ["converted", "more.npz", "tuned"]
    code = run("evaluate", out, "--data", folder / "more.npz", "--limit", "20")
    text = capsys.readouterr()
    assert code == 0 and "images that trained the network" in text.out + text.err


@pytest.mark.parametrize(("options", "code", "reason"), [
    (["-T", "9"], 1, "at most 8 timesteps, got 9"), (["--minutes", "0"], 1, "minutes must be"),
    (["--exit-data", "nowhere"], 1, "no such file"), (["--objective", "best"], 2, "is not one of"),
])  # fmt: skip
def test_it_says_what_is_wrong_and_leaves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, reason: str
) -> None:
    out = folder / "tuned"
    found = run("finetune", folder / "converted", "--data", folder / "more.npz", "-o", out, *options)
    assert found == code and reason in capsys.readouterr().err
    assert sorted(one.name for one in folder.iterdir()) == ["converted", "more.npz"]


def test_the_folder_that_one_is_in_can_be_the_output(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    options = ["--epochs", "1", "--batch-size", "64", "--held-out", "40", "-T", "1"]
    assert run("finetune", folder / "converted", "--data", folder / "more.npz", "-o", ".", *options) == 0
    assert (folder / "here" / "manifest.json").is_file()
    assert sorted(one.name for one in folder.iterdir()) == ["converted", "here", "more.npz"]


def test_an_interrupted_training_says_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*unused: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Course, "run", interrupted)
    out = folder / "tuned"
    options = ["--epochs", "1", "--batch-size", "32", "--held-out", "40", "-T", "1"]
    assert run("finetune", folder / "converted", "--data", folder / "more.npz", "-o", out, *options) == 130
    assert "the same command continues it" in capsys.readouterr().err
    assert sorted(one.name for one in folder.iterdir()) == ["converted", "more.npz", "tuned.training.pt"]
