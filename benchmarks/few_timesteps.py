"""Measure how near the ANN each neuron type and each calibration is after few timesteps, and write the table.

Run: ``python benchmarks/few_timesteps.py NAME=MODEL ... --run signed:balanced:16 --run multilevel:balanced:16 ...``
with data and preprocessing as for ``few_networks.py``. A run is ``NEURON:CALIBRATION:T``; with the parts
``:CORRECTION`` and ``:SKIPS`` it is an ablation; ``spikingjelly:RECIPE:T`` is SpikingJelly's conversion, where it is
installed. Rows are added to ``--output`` one by one, so an interrupted table goes on where it stopped. Nothing is
chosen on the test images.
"""

import time
from pathlib import Path
from typing import Any

import click
import measuring
import peers
import torch

import seenn_convert as sc
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.frontend.load import read_model
from seenn_convert.measure.costs import run_counted
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES
from seenn_convert.runtime.memory import keep_pages

SHOWN = (1, 2, 4, 8, 16, 32)
COUNTED_IMAGES = 200
ABLATIONS = ("correction", "skips")


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--run", "runs", multiple=True, default=("signed:balanced:16",), show_default=True)
@measuring.data_options
@measuring.output_option
def main(models: tuple[str, ...], runs: tuple[str, ...], output: Path, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE, in every run."""
    keep_pages()
    rows = measuring.rows_in(output)
    done = {(row["network"], row["run"]) for row in rows}
    for name, file in measuring.named(models):
        for run in runs:
            if (name, run) not in done:
                rows.append({"network": name, "run": run, **_measure(file, run, given)})
                measuring.save(output, {"rows": rows}, _table(rows))
                click.echo(f"{name} {run}: done", err=True)
    click.echo(_table(rows))


def _measure(model: str, run: str, given: dict[str, Any]) -> dict[str, Any]:
    neuron, preset, steps, *ablation = run.split(":")
    calibration, test = measuring.open_data(given)
    if neuron == "spikingjelly":
        return _measure_peer(model, preset, int(steps), calibration, test)
    options: dict[str, Any] = dict(zip(ABLATIONS, ablation, strict=False))
    start = time.perf_counter()
    artifact = sc.convert(
        model, calibration, sc.Options(timesteps=int(steps), neuron=neuron, calibration=preset, **options)
    )
    seconds = time.perf_counter() - start
    spiking = artifact.model()
    with torch.no_grad():
        predictions = collect_readouts(spiking, measuring.images_of(test)).predictions
        _, counts = run_counted(spiking, measuring.images_of(test.take(COUNTED_IMAGES), 100), lambda count: None)
    states = spiking.initial_state(1)
    neurons = sum(states[f"{layer.name}_v"].numel() for layer in spiking.layers)
    conversion = artifact.report.conversion
    return {
        **measuring.accuracies(artifact, test, predictions),
        "spikes_per_neuron": {str(t): float(counts.spikes[t - 1].mean()) / neurons for t in SHOWN if t <= int(steps)},
        "bits_per_spike": conversion.neuron.bits_per_spike,
        "threshold_rule": conversion.threshold_rule,
        "weights": {} if conversion.weights is None else to_plain(conversion.weights),
        "convert_seconds": seconds,
    }


def _measure_peer(model: str, recipe: str, timesteps: int, calibration: sc.Dataset, test: sc.Dataset) -> dict[str, Any]:
    """Measure SpikingJelly's conversion of the same ANN, with the same images to calibrate and to test."""
    marks = tuple(t for t in SHOWN if t <= timesteps)
    source = read_model(model)
    ann = run_passes(source.program, ANN_PASSES)
    start = time.perf_counter()
    converted = peers.spikingjelly(peers.plain(ann), recipe, measuring.images_of(calibration, 100))
    seconds = time.perf_counter() - start
    with torch.no_grad():
        means = [peers.mean_outputs(converted, image, marks) for image in measuring.images_of(test, 250)]
        found = [torch.cat(parts).argmax(dim=-1) for parts in zip(*means, strict=True)]
        ann_predictions = torch.cat([source.program(image).argmax(dim=-1) for image in measuring.images_of(test, 250)])
    return {
        "ann_accuracy": measuring.share(ann_predictions, test.labels),
        "accuracy_at": {str(t): measuring.share(one, test.labels) for t, one in zip(marks, found, strict=True)},
        "spikes_per_neuron": {},
        "bits_per_spike": 1,
        "threshold_rule": recipe,
        "weights": None,
        "convert_seconds": seconds,
        "peer": f"SpikingJelly {peers.version()}",
    }


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("network", "ANN", "neuron", "bits a spike", "calibration", "for T", "thresholds",
            *(f"points lost at t={t}" for t in SHOWN), "spikes a neuron over T", "convert s")  # fmt: skip
    return measuring.table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[object]:
    neuron, preset, steps, *ablation = row["run"].split(":")
    calibration = ", ".join([preset, *(f"{name} {value}" for name, value in zip(ABLATIONS, ablation, strict=False))])
    if row["weights"]:
        calibration += " (weights tuned)" if row["weights"]["kept"] else " (weights left: no gain)"
    found = row["spikes_per_neuron"]
    spikes = f"{found[max(found, key=int)]:.2f}" if found else ""
    facts = (f"{row['ann_accuracy']:.2%}", row.get("peer", neuron), row["bits_per_spike"], calibration, steps)
    lost = measuring.points_lost(row, SHOWN)
    return [row["network"], *facts, row["threshold_rule"], *lost, spikes, f"{row['convert_seconds']:.0f}"]


if __name__ == "__main__":
    main()
