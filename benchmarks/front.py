"""Measure what an analog front gives, within several budgets, and write the table.

Run: ``python benchmarks/front.py NAME=MODEL ... --run none --run auto:0.1 ...`` with data and preprocessing as for
``few_networks.py``. A run is ``none``, ``auto:BUDGET`` or a number of activations. A front that was measured before is
not measured again: the row of a run says which front was chosen, and how long its search took. Nothing is chosen on
the test images.
"""

import time
from pathlib import Path
from typing import Any

import click
import measuring
import torch

import seenn_convert as sc
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.measure.costs import costs, run_counted
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import exit_steps

SHOWN = (1, 2, 4, 8, 12, 16)
COUNTED_IMAGES = 32


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--run", "runs", multiple=True, default=("none", "auto:0.05", "auto:0.1", "auto:0.2"), show_default=True)
@click.option("--timesteps", type=int, default=16, show_default=True)
@click.option("--neuron", default="signed", show_default=True)
@click.option("--calibration", default="fast", show_default=True)
@measuring.data_options
@measuring.output_option
def main(models: tuple[str, ...], runs: tuple[str, ...], output: Path, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE, with every front."""
    keep_pages()
    rows = measuring.rows_in(output)
    done = {(row["network"], row["neuron"], row["run"]) for row in rows}
    for name, file in measuring.named(models):
        for run in runs:
            if (name, given["neuron"], run) not in done:
                rows.append(_measured(name, file, run, given, rows))
                measuring.save(output, {"rows": rows}, _table(rows))
                click.echo(f"{name} {run}: done", err=True)
    click.echo(_table(rows))


def _measured(name: str, model: str, run: str, given: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    calibration, test = measuring.open_data(given)
    start = time.process_time()
    artifact = sc.convert(model, calibration, _options(run, given))
    conversion = artifact.report.conversion
    held_out, front = conversion.exit.held_out, conversion.front
    facts = {"network": name, "neuron": given["neuron"], "run": run, "activations": len(front.names)}
    row = {
        **facts,
        "share": front.share,
        "spiking_share": conversion.spiking_share,
        "calibration_images": conversion.calibration.images,
        "convert_seconds": time.process_time() - start,
        "expected": {"drop": held_out.expected_drop, "timesteps": held_out.average_timesteps},
    }
    same = ("network", "neuron", "activations")
    for known in rows:
        if all(known[key] == facts[key] for key in same):
            return {**known, **row}
    return {**row, **_tested(artifact, test)}


def _options(run: str, given: dict[str, Any]) -> sc.Options:
    front, _, budget = run.partition(":")
    return sc.Options(
        timesteps=given["timesteps"],
        neuron=given["neuron"],
        calibration=given["calibration"],
        front=front if front in ("none", "auto") else int(front),
        front_budget=float(budget or 1),
    )


def _tested(artifact: sc.Artifact, test: sc.Dataset) -> dict[str, Any]:
    """Return accuracy, timesteps and energy on test images."""
    model = artifact.model()
    with torch.no_grad():
        readouts = collect_readouts(model, measuring.images_of(test))
        some, counts = run_counted(model, measuring.images_of(test.take(COUNTED_IMAGES), 32), lambda count: None)
    steps = exit_steps(artifact.policy, readouts.scores)
    energy = costs(artifact.ann, counts, exit_steps(artifact.policy, some.scores))[1].nanojoule_per_image
    return {
        **measuring.accuracies(artifact, test, readouts.predictions),
        "early_accuracy": measuring.share(readouts.answers(steps), test.labels),
        "average_timesteps": float(steps.double().mean()),
        "energy": {"ann": energy.ann, "all": energy.all_timesteps, "early": energy.early_exit},
        "test_images": len(test),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    head = ("network", "neuron", "images", "ANN", "front", "activations", "MACs once", "driven by spikes",
            *(f"points lost at t={t}" for t in SHOWN), "early exit: points lost", "timesteps", "energy, ANN = 1",
            "convert s")  # fmt: skip
    return measuring.table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[object]:
    front, _, budget = row["run"].partition(":")
    lost = 100 * (row["ann_accuracy"] - row["early_accuracy"])
    return [
        row["network"], row["neuron"], f"{row['calibration_images']}, {row['test_images']}",
        f"{row['ann_accuracy']:.1%}",
        f"{front}, {100 * float(budget):g}%" if budget else front, row["activations"], f"{row['share']:.1%}",
        f"{row['spiking_share']:.0%}", *measuring.points_lost(row, SHOWN), f"{lost:.2f}",
        f"{row['average_timesteps']:.2f}", f"{row['energy']['early'] / row['energy']['ann']:.2f}",
        f"{row['convert_seconds']:.0f}",
    ]  # fmt: skip


if __name__ == "__main__":
    main()
