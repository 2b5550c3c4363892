"""``convert --explore``: what is given stays fixed, what has no effect is refused, and the table is plain in a pipe."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from trials import exploration

from seenn_convert.cli import exploration_text as texts
from seenn_convert.cli.exploring import explored, exploring_options
from seenn_convert.cli.main import cli
from seenn_convert.cli.options import calibration_options
from seenn_convert.sample import CALIBRATION, MODEL


@click.command()
@exploring_options
@calibration_options
def show(**given: object) -> None:
    """Print what explore is told."""
    click.echo(json.dumps(explored(dict(given))))


@pytest.mark.parametrize(("arguments", "vary"), [
    ("", ["neuron", "timesteps", "calibration", "front"]),
    ("-T 16", ["neuron", "calibration", "front"]),
    ("--neuron if --calibration balanced", ["timesteps", "front"]),
    ("--neuron-levels 4", ["neuron", "timesteps", "calibration", "front"]),
])  # fmt: skip
def test_what_is_given_is_not_varied(arguments: str, vary: list[str]) -> None:
    """An option that is given counts, even if it is given its default."""
    told = json.loads(CliRunner().invoke(show, ["--explore", "--minutes", "2", *arguments.split()]).output)
    assert told == {"minutes": 2.0, "prefer": None, "vary": vary}


def test_without_exploring_its_options_have_no_effect() -> None:
    assert CliRunner().invoke(show, []).output.strip() == "null"
    for arguments in (["--minutes", "2"], ["--prefer", "time"]):
        refused = CliRunner().invoke(show, arguments)
        assert refused.exit_code == 2 and f"{arguments[0]} has no effect without --explore" in refused.output


def test_the_table_is_plain_in_a_pipe_and_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = texts.exploration_text(exploration())
    row = next(line for line in plain.splitlines() if line.startswith("*"))
    assert " ".join(row.split()) == "* --neuron multilevel -T 4 89.6% 0.40 1.50 2.00 ms 3.00 µJ GPU, CPU"
    assert "not tried: --neuron if -T 64: it would take about 90 s, and 20 s were left" in plain
    both = texts.exploration_text(exploration(left_out={"--neuron if -T 4": "no time", "--neuron if -T 8": "no time"}))
    assert "not tried: --neuron if -T 4, --neuron if -T 8: no time" in both
    assert "\x1b" not in plain and "─" not in plain
    monkeypatch.setattr(texts.sys.stdout, "isatty", lambda: True)
    assert "─" in texts.exploration_text(exploration())


@pytest.mark.slow
def test_the_shipped_sample_from_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert = ["convert", str(MODEL), "--calibration-data", str(CALIBRATION), "--mean", "0.2860", "--std", "0.3530"]
    options = ["--explore", "--minutes", "0.5", "--calibration", "fast", "-T", "4", "-o", str(out)]
    result = CliRunner().invoke(cli, [*convert, *options], catch_exceptions=False)
    assert result.exit_code == 0 and "Kept --neuron" in result.output and f"wrote {out}" in result.output
    shown = CliRunner().invoke(cli, ["inspect", str(out)], catch_exceptions=False).output
    assert "Kept --neuron" in shown
    told = json.loads(CliRunner().invoke(cli, ["inspect", str(out), "--json"], catch_exceptions=False).output)
    report = json.loads((out / "report.json").read_text())
    assert "Settings that were tried" in (out / "report.html").read_text()
    assert told["exploration"] == report["conversion"]["exploration"]
    assert {trial["timesteps"] for trial in told["exploration"]["frontier"]} == {4}
