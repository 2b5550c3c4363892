"""Measure what each way to stop early loses against the full run, and write the table.

Run: ``python benchmarks/exits.py NAME=ARTIFACT ... --calibration-data DATA --test-data DATA`` with preprocessing as for
``few_networks.py``. With ``--readouts FOLDER`` the readouts of all timesteps are kept there, as ``NAME_calibration.pt``
and ``NAME_test.pt`` (a dictionary of ``logits`` (T, N, K), ``ann`` (N, K) and ``labels`` (N,)), and read where they
exist; then no data is needed. Temperatures and thresholds come from the calibration images; the test images only judge.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
from measuring import data_options, kept, named, open_data, output_option, outputs, save, share, table

import seenn_convert as sc
from seenn_convert.exits.readouts import Readouts, from_logits
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
@output_option
def main(artifacts: tuple[str, ...], readouts: Path | None, seed: int, output: Path, **given: Any) -> None:
    """Compare the ways to stop of ARTIFACTS, each as NAME=FOLDER."""
    keep_pages()
    networks = [_measure(name, artifact, readouts, seed, given) for name, artifact in named(artifacts)]
    click.echo(save(output, {"networks": networks}, _table(networks)))


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
        "ann_accuracy": share(test.ann_answers, test.truth),
        "full_accuracy": float(test.right[-1].double().mean()),
        "first_right_average": float(first_right(test).double().mean()),
        "ideal_exit_time": ideal_exit_time(test.right),
        "ways": ways,
    }


def _readouts(name: str, part: str, artifact: str, readouts: Path | None, given: dict[str, Any]) -> Readouts:
    found = kept(
        readouts,
        f"{name}_{part}",
        lambda: outputs(sc.load_artifact(Path(artifact)), open_data(given)[part == "test"]),
    )
    return from_logits(found["logits"].float(), found["ann"].float(), found["labels"])


def _table(networks: list[dict[str, Any]]) -> str:
    rows = []
    for network in networks:
        for label, ways in network["ways"].items():
            points = [SimpleNamespace(**way) for way in ways]
            lost = [at_average(points, average) for average in AVERAGES]
            rows.append([network["name"], label, *map(_number, [*lost, average_within(points, ALLOWED)])])
    facts = [
        f"{n['name']}: ANN {n['ann_accuracy']:.2%}, all {n['timesteps']} timesteps {n['full_accuracy']:.2%} on "
        f"{n['test_images']} test images; leaving at the first right answer {n['first_right_average']:.2f} timesteps."
        for n in networks
    ]
    below = (f"points below the full run at {average}" for average in AVERAGES)
    head = ("network", "strategy", *below, f"at most {ALLOWED} below from")
    return f"{table(head, rows)}\n\n{' '.join(facts)}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
