"""Measure how near the ANN each kind of neuron and each calibration is after few timesteps, and write the table.

Run: ``python benchmarks/few_timesteps.py NAME=MODEL ... --run signed:balanced:16 --run multilevel:balanced:16 ...``
with data and preprocessing as for ``few_networks.py``. A run is ``NEURON:CALIBRATION:T``, and with a fourth part
``:CORRECTION`` it is an ablation. Rows are added to ``--output`` one by one, so an interrupted table goes on where it
stopped. Nothing is chosen on the test images.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import torch
from measuring import accuracies, data_options, made_on, open_data, points_lost

import seenn_convert as sc
from seenn_convert.report.conversion import environment
from seenn_convert.report.costs import run_counted
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.memory import keep_pages

SHOWN = (1, 2, 4, 8, 16, 32)
COUNTED_IMAGES = 200


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--run", "runs", multiple=True, default=("signed:balanced:16",), show_default=True)
@data_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Without ending.")
def main(models: tuple[str, ...], runs: tuple[str, ...], output: Path, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE, in every run."""
    keep_pages()
    target = output.with_suffix(".json")
    data: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {"rows": []}
    done = {(row["network"], row["run"]) for row in data["rows"]}
    for name, file in (model.split("=", 1) for model in models):
        for run in runs:
            if (name, run) not in done:
                data["rows"].append({"network": name, "run": run, **_measure(file, run, given)})
                data["environment"] = environment()
                data["command"] = " ".join(Path(part).name for part in sys.argv)
                target.write_text(json.dumps(data, indent=1) + "\n")
                click.echo(f"{name} {run}: done", err=True)
    output.with_suffix(".md").write_text(_table(data))
    click.echo(_table(data))


def _measure(model: str, run: str, given: dict[str, Any]) -> dict[str, Any]:
    neuron, preset, steps, *correction = run.split(":")
    calibration, test = open_data(given)
    options: dict[str, Any] = {"correction": correction[0]} if correction else {}
    start = time.perf_counter()
    artifact = sc.convert(
        model, calibration, sc.Options(timesteps=int(steps), neuron=neuron, calibration=preset, **options)
    )
    seconds = time.perf_counter() - start
    spiking = artifact.model()
    with torch.no_grad():
        predictions = run_all_timesteps(spiking, (image for image, _ in test.batches(256))).predictions
        few = test.take(COUNTED_IMAGES)
        _, counts = run_counted(spiking, (image for image, _ in few.batches(100)), lambda count: None)
    states = spiking.initial_state(1)
    neurons = sum(states[f"{layer.name}_v"].numel() for layer in spiking.layers)
    conversion = artifact.report["conversion"]
    return {
        **accuracies(artifact, test, predictions),
        "spikes_per_neuron": {str(t): float(counts.spikes[t - 1].mean()) / neurons for t in SHOWN if t <= int(steps)},
        "bits_per_spike": conversion["neuron"]["bits_per_spike"],
        "threshold_rule": conversion["threshold_rule"],
        "weights": conversion["weights"],
        "convert_seconds": seconds,
    }


def _table(data: dict[str, Any]) -> str:
    head = (
        "| network | ANN | neuron | bits a spike | calibration | for T | thresholds | "
        + " | ".join(f"points lost at t={t}" for t in SHOWN)
        + " | spikes a neuron over T | convert s |\n|" + "---|" * (len(SHOWN) + 9)
    )  # fmt: skip
    lines = [head, *map(_line, data["rows"])]
    return "\n".join(lines) + f"\n\n{made_on(data['environment'])}\n"


def _line(row: dict[str, Any]) -> str:
    neuron, preset, steps, *correction = row["run"].split(":")
    calibration = f"{preset}, correction {correction[0]}" if correction else preset
    if row["weights"]:
        calibration += " (weights tuned)" if row["weights"]["kept"] else " (weights left: no gain)"
    return (
        f"| {row['network']} | {row['ann_accuracy']:.2%} | {neuron} | {row['bits_per_spike']} | {calibration} "
        f"| {steps} | {row['threshold_rule']} | " + " | ".join(points_lost(row, SHOWN))
        + f" | {row['spikes_per_neuron'][max(row['spikes_per_neuron'], key=int)]:.2f} | {row['convert_seconds']:.0f} |"
    )  # fmt: skip


if __name__ == "__main__":
    main()
