"""The command ``evaluate`` writes the plots as files if it is asked to, also without a report."""

from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small

from seenn_convert.cli.main import main


def test_figures_are_written_without_a_report_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    images, labels = small.draw(40, 1)
    np.savez(tmp_path / "test.npz", x=images.numpy(), y=labels.numpy())
    command = [
        "evaluate",
        tmp_path / "net",
        "--data",
        tmp_path / "test.npz",
        "--no-report",
        "--figures",
        tmp_path / "f",
    ]
    main([str(part) for part in command])

    assert {"accuracy.svg", "exits.svg"} <= {file.name for file in (tmp_path / "f").iterdir()}
    assert not (tmp_path / "net" / "report.html").exists()
    assert f"to {tmp_path / 'f'}" in capsys.readouterr().err


def test_a_folder_for_figures_that_cannot_be_is_said_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    small.artifact().save(tmp_path / "net")
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path / "net"), "--data", "none.npz", "--figures", str(tmp_path / "file")])
    assert "file cannot be written" in capsys.readouterr().err
