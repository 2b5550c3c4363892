"""The command: what it prints, and an exit code for CI."""

import json
from pathlib import Path

import pytest
from chip_networks import fit
from small_artifacts import artifact

from seenn_convert.cli.check_text import fit_text
from seenn_convert.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    code = 0
    try:
        main(["check", *(str(argument) for argument in arguments)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("check") / "out"
    artifact().save(path)
    return path


def test_what_does_not_fit_is_exit_code_1(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = run(capsys, folder, "--target", "nir")
    assert code == 1 and out.startswith(f"{folder} on NIR") and "does not fit" in out.splitlines()[0]
    assert "what helps: convert with --neuron if" in out


def test_what_fits_is_exit_code_0(capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    limits = tmp_path / "all.toml"
    limits.write_text(
        "title = 'Anything'\nruns = 'spikes'\nfront = 'chip'\nsource = 'this test'\n"
        'accepts = ["convolution", "linear", "neuron", "graded", "max_pool", "sum", "other"]\n'
    )
    code, out, _ = run(capsys, folder, "--target", limits)
    assert code == 0 and "on Anything: fits" in out and "refused\n" not in out


def test_json_is_the_value(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = run(capsys, folder, "--target", "speck2f", "--json")
    found = json.loads(out)
    assert code == 1 and found["target"] == "speck2f" and found["fits"] is False
    assert {"name", "verdict", "findings", "share", "place"} <= set(found["sites"][0])


def test_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(capsys, folder)[0] == 2
    code, _, said = run(capsys, folder, "--target", "tpu")
    assert code == 1 and "no such target" in said


def test_the_text_names_cores_and_who_competes() -> None:
    text = fit_text(fit("resnet", "speck2f"))
    assert "5 layers compete for 2 cores (5, 6)" in text and "22 layers compete for 9 cores" in text
    assert "65,536 of 65,536" in text
    assert text.count("no core is left for it; 9 cores for 22 layers") == 1


def test_a_share_is_called_all_or_nothing_only_if_it_is() -> None:
    assert "0.0%" not in fit_text(fit("vgg", "akida2")) and "100.0%" not in fit_text(fit("vgg", "akida2"))
