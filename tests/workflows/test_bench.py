"""``bench`` runs everything in turn, says what made-up images cannot tell, and writes JSON and a page."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch

import seenn_convert as sc
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError
from seenn_convert.exporters.onnx.ann import ann_logits, write_ann, write_int8_ann
from seenn_convert.measure.speed import Speed
from seenn_convert.report.plots.speed import speed_plots
from seenn_convert.report.render import speed_page
from seenn_convert.report.speed import answers_table, latency_table, times_table
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy

IMAGES, LABELS = small.draw(40, 5)
WAYS = ["spiking eager", "spiking onnxruntime", "ANN eager", "ANN onnxruntime", "ANN onnxruntime int8"]


@pytest.fixture(scope="module")
def speed() -> Speed:
    """Return a short measurement on labelled images."""
    return sc.bench(small.artifact(), (IMAGES, LABELS), batches=(1, 16), singles=6, rounds=2, threads=1)


def test_every_way_runs_at_every_batch_size(speed: Speed) -> None:
    assert [(one.name, one.batch) for one in speed.timed] == [(name, size) for size in (1, 16) for name in WAYS]
    assert (speed.images, speed.made_up, speed.threads, speed.timesteps) == (40, False, 1, 8)
    assert all(one.milliseconds > 0 and one.processor > 0 for one in speed.timed) and not speed.left_out


def test_answers_and_exits_are_those_of_the_network(speed: Speed) -> None:
    trace = run_early_exit(small.artifact().model(), IMAGES, 16)
    ours, onnx, ann, *_ = speed.answers
    assert [one.name for one in speed.answers] == WAYS
    assert ours.accuracy == float((trace.predictions == LABELS).double().mean())
    assert (ours.same_exits, onnx.same_exits, ann.same_exits) == (1.0, 1.0, None)
    assert onnx.accuracy == ours.accuracy and ann.as_ann == 1.0
    batched = next(one for one in speed.timed if one.name == "spiking eager" and one.batch == 16)
    assert batched.average_timesteps == trace.average_timesteps


def test_each_figure_is_where_it_belongs(speed: Speed) -> None:
    """Latency of single images only; timestep, its ratio and efficiency of spiking networks only."""
    for one in speed.timed:
        spiking = one.name.startswith("spiking")
        assert (one.latency is not None) == (one.batch == 1)
        assert all((value is not None) == spiking for value in (one.step, one.over_ann, one.efficiency))
        assert one.images_per_second == pytest.approx(1000 / one.milliseconds)
    assert speed.arrivals is not None and speed.arrivals < max(one.images_per_second for one in speed.timed)


def test_efficiency_is_time_over_the_share_of_timesteps(speed: Speed) -> None:
    """A run whose images all stay to the end takes the time of all timesteps: about 1, whatever the machine does."""
    stays = replace(small.artifact(), policy=FixedPolicy(8), certificate=None)
    (timed,) = [
        one for one in sc.bench(stays, IMAGES, batches=(40,), backends=("eager",), rounds=3).timed
        if one.name == "spiking eager"
    ]  # fmt: skip
    assert timed.average_timesteps == 8 and timed.efficiency is not None and 0.3 < timed.efficiency < 3


def test_made_up_images_are_told(speed: Speed) -> None:
    found = sc.bench(small.artifact(), batches=(4,), images=4, rounds=1, backends=("eager",))
    assert found.made_up and found.images == 4 and found.arrivals is None
    assert all(one.accuracy is None for one in found.answers)
    assert "4 images made up, since none were given: exits, and what depends on them, then mean nothing" in speed_page(
        found
    )


def test_the_int8_ann_answers_nearly_as_the_ann(tmp_path: Path) -> None:
    ann = small.artifact().ann
    file = write_ann(ann, tmp_path)
    ours, single = ann(IMAGES), ann_logits(file)(IMAGES)
    int8 = ann_logits(write_int8_ann(file, IMAGES.split(16)))(IMAGES)
    assert float((ours - single).abs().max()) < 1e-4
    assert 1e-4 < float((ours - int8).abs().max()) < 0.1 * float(ours.abs().max())
    assert float((ours.argmax(-1) == int8.argmax(-1)).double().mean()) >= 0.9


def test_tables_and_plots_show_all(speed: Speed) -> None:
    assert len(times_table(speed).rows) == 10 and len(latency_table(speed).rows) == 5
    assert [row[0].words for row in answers_table(speed).rows] == WAYS
    plots = speed_plots(speed)
    assert [plot.y_label for plot in plots.values()] == ["Images answered, %", "Accuracy, %"]
    assert all([series.label for series in plot.series] == WAYS for plot in plots.values())
    assert {(series.kind, series.marker) for series in plots["cost"].series if series.label.startswith("spiking")} == {
        ("early", "diamond")
    }  # the only kind of diamond that the style sheet fills
    unlabelled = replace(speed, answers=tuple(replace(one, accuracy=None) for one in speed.answers))
    assert speed_plots(unlabelled)["cost"].y_label == "Same answers as the ANN, %"
    overloaded = replace(speed, timed=tuple(replace(one, under_load=None) for one in speed.timed))
    assert latency_table(overloaded).rows[0][4].words == "cannot keep up"


@pytest.mark.parametrize("given, problem", [
    ({"batches": ()}, "there is no batch size to measure"),
    ({"batches": (0,)}, "a batch size must be .* got 0"),
    ({"rounds": 0}, "the number of rounds must be"),
    ({"backends": ("auto",)}, "'auto' measures the other backends"),
])  # fmt: skip
def test_numbers_out_of_range_are_refused(given: dict[str, Sequence[object] | int], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        sc.bench(small.artifact(), **given)  # type: ignore[arg-type]


def test_threads_are_as_before(speed: Speed) -> None:
    before = torch.get_num_threads()
    sc.bench(small.artifact(), batches=(2,), images=2, rounds=1, threads=2, backends=("eager",))
    assert torch.get_num_threads() == before


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.artifact().save(tmp_path / "net")
    np.savez(tmp_path / "test.npz", x=IMAGES.numpy(), y=LABELS.numpy())
    words = ["bench", "net", "--data", "test.npz", "--batch", "1,8", "--images", "8", "--singles", "3", "--rounds", "1"]
    command = [str(tmp_path / word) if word in ("net", "test.npz") else word for word in words]
    main([*command, "--backend", "eager", "--json", str(tmp_path / "speed.json")])

    out = capsys.readouterr().out
    assert "spiking eager  1" in out and "Latency of single images" in out and "speed.html" in out
    assert json.loads((tmp_path / "speed.json").read_text())["images"] == 8
    assert "<svg" in (tmp_path / "speed.html").read_text()
    with pytest.raises(SystemExit):
        main([*command, "--json", str(tmp_path / "speed.txt")])
    assert "name a file that ends in .json" in capsys.readouterr().err
