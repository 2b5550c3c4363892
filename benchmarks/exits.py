"""Measure what each way to stop early loses against the full run, and write the table.

Run: ``python benchmarks/exits.py NAME=ARTIFACT ... --calibration-data DATA --test-data DATA`` with preprocessing as for
``few_networks.py``. With ``--readouts FOLDER`` the readouts of all timesteps are kept there, as ``NAME_calibration.pt``
and ``NAME_test.pt`` (a dictionary of ``logits`` (T, N, K), ``ann`` (N, K) and ``labels`` (N,)), and read where they
exist; then no data is needed. Temperatures and thresholds come from the calibration images; the test images only judge.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import torch
from measuring import data_options, made_on, open_data

import seenn_convert as sc
from seenn_convert.artifact.provenance import environment
from seenn_convert.exits.readouts import Readouts, collect_readouts, from_logits
from seenn_convert.exits.strategies.basic import STRATEGIES, Grounds, carried_out, first_right, ideal_exit_time
from seenn_convert.exits.tune import split_calibration
from seenn_convert.measure.compare import budgets
from seenn_convert.measure.curves import at_average, average_within
from seenn_convert.measure.intervals import points_lost
from seenn_convert.runtime.memory import keep_pages

AVERAGES = (2, 3, 4, 5, 6, 7, 8, 9, 10)
ALLOWED = 0.5


@click.command()
@click.argument("artifacts", nargs=-1, required=True)
@data_options
@click.option("--readouts", type=click.Path(path_type=Path), help="Folder of readouts, to read or to write.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Without ending.")
def main(artifacts: tuple[str, ...], readouts: Path | None, seed: int, output: Path, **given: Any) -> None:
    """Compare the ways to stop of ARTIFACTS, each as NAME=FOLDER."""
    keep_pages()
    networks = [_measure(*artifact.split("=", 1), readouts, seed, given) for artifact in artifacts]
    command = " ".join(Path(part).name for part in sys.argv)
    data = {"networks": networks, "environment": vars(environment()), "command": command}
    output.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    output.with_suffix(".md").write_text(_table(data))
    click.echo(_table(data))


def _measure(name: str, artifact: str, readouts: Path | None, seed: int, given: dict[str, Any]) -> dict[str, Any]:
    calibration, test = (_readouts(name, part, artifact, readouts, given) for part in ("calibration", "test"))
    timesteps, images = calibration.predictions.shape
    grounds = Grounds(calibration, split_calibration(images, seed), budgets(timesteps))
    ways = {}
    for strategy in STRATEGIES:
        points = []
        for exit_step in carried_out(strategy, strategy.settings(grounds), grounds, test):
            lost, half = points_lost(test.right[-1], test.answers(exit_step) == test.truth)
            average = float(exit_step.double().mean())
            points.append({"average_timesteps": average, "points_lost": lost, "half_interval95": half})
        ways[strategy.label] = points
    return {
        "name": name,
        "timesteps": timesteps,
        "calibration_images": images,
        "test_images": test.predictions.shape[1],
        "ann_accuracy": float((test.ann_answers == test.truth).double().mean()),
        "full_accuracy": float(test.right[-1].double().mean()),
        "first_right_average": float(first_right(test).double().mean()),
        "ideal_exit_time": ideal_exit_time(test.right),
        "ways": ways,
    }


def _readouts(name: str, part: str, artifact: str, readouts: Path | None, given: dict[str, Any]) -> Readouts:
    path = None if readouts is None else readouts / f"{name}_{part}.pt"
    if path is not None and path.exists():
        found = torch.load(path, weights_only=True)
    else:
        network = sc.load_artifact(Path(artifact))
        data = open_data(given)[part == "test"]
        with torch.no_grad():
            images = (image for image, _ in data.batches(256))
            logits = collect_readouts(network.model(), images, keep_logits=True).logits
            ann = torch.cat([network.ann(image) for image, _ in data.batches(256)])
        found = {"logits": logits, "ann": ann, "labels": data.labels}
        if path is not None:
            torch.save(found, path)
    return from_logits(found["logits"].float(), found["ann"].float(), found["labels"])


def _table(data: dict[str, Any]) -> str:
    head = (
        "| network | strategy | " + " | ".join(f"points below the full run at {a}" for a in AVERAGES)
        + f" | at most {ALLOWED} below from |\n|" + "---|" * (len(AVERAGES) + 3)
    )  # fmt: skip
    lines = [head]
    for network in data["networks"]:
        for label, rows in network["ways"].items():
            points = [SimpleNamespace(**row) for row in rows]
            lost = [_number(at_average(points, average)) for average in AVERAGES]
            within = _number(average_within(points, ALLOWED))
            lines.append(f"| {network['name']} | {label} | " + " | ".join(lost) + f" | {within} |")
    facts = [
        f"{n['name']}: ANN {n['ann_accuracy']:.2%}, all {n['timesteps']} timesteps {n['full_accuracy']:.2%} on "
        f"{n['test_images']} test images; leaving at the first right answer {n['first_right_average']:.2f} timesteps."
        for n in data["networks"]
    ]
    return "\n".join(lines) + "\n\n" + " ".join(facts) + f"\n\n{made_on(data['environment'])}\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
