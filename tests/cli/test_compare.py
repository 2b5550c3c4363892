"""The command ``compare`` writes its page and prints the points lost."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small

from seenn_convert.cli.main import main
from seenn_convert.measure import compare as comparing


def npz(path: Path, count: int, seed: int) -> Path:
    images, labels = small.draw(count, seed)
    np.savez(path, x=images.numpy(), y=labels.numpy())
    return path


def test_a_table_and_a_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "TIMED_IMAGES", 8)
    monkeypatch.setitem(sys.modules, "vl_convert", None)  # no PDF and PNG: test_figures has them
    small.artifact().save(tmp_path / "net")
    data, known = npz(tmp_path / "test.npz", 60, 1), npz(tmp_path / "known.npz", 60, 2)
    main(["compare", str(tmp_path / "net"), "--data", str(data), "--calibration-data", str(known), "--images", "40",
          "-o", str(tmp_path / "new" / "pages"), "--figures", str(tmp_path / "figures")])  # fmt: skip
    out = capsys.readouterr().out

    assert out.startswith("40 images; ANN ")
    assert "one temperature, one threshold" in out
    assert "no policy head: seenn-convert attach-policy would add" in out
    found = json.loads((tmp_path / "new" / "pages" / "comparison.json").read_text())
    assert found["data"]["images"] == 40
    assert (tmp_path / "new" / "pages" / "comparison.html").is_file()
    assert (tmp_path / "figures" / "timesteps.svg").is_file()


def test_a_folder_that_cannot_be_made_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    data = npz(tmp_path / "test.npz", 20, 1)
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(tmp_path / "net"), "--data", str(data), "--calibration-data", str(data),
              "-o", str(data / "below")])  # fmt: skip
    assert stop.value.code == 1
    assert "cannot be written" in capsys.readouterr().err


def test_an_error_leaves_no_folder_behind(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    np.savez(tmp_path / "unlabelled.npz", x=small.draw(20, 1)[0].numpy())
    with pytest.raises(SystemExit) as stop:
        main(["compare", str(tmp_path / "net"), "--data", str(tmp_path / "unlabelled.npz"), "--calibration-data",
              str(tmp_path / "unlabelled.npz"), "-o", str(tmp_path / "new" / "pages"), "--figures", str(tmp_path / "figures")])  # fmt: skip
    assert stop.value.code == 1 and "label" in capsys.readouterr().err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["net", "unlabelled.npz"]
