"""Convert pretrained networks and write the table of accuracies, timesteps and times that the README shows.

Run: ``python benchmarks/few_networks.py NAME=MODEL ... --calibration-data DATA --test-data DATA --mean a,b,c ...``.
Each model is converted once for each ``--timesteps`` and evaluated on the same test images; the table is written to
``--output`` as Markdown and JSON, with machine, versions and date. Nothing is chosen on the test images.
"""

import time
from pathlib import Path
from typing import Any

import click
import torch
from measuring import accuracies, data_options, images_of, named, open_data, points_lost, rows_in, save, share, table

import seenn_convert as sc
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import exit_steps


@click.command()
@click.argument("models", nargs=-1, required=True)
@data_options
@click.option("--timesteps", type=int, multiple=True, default=(16,), show_default=True)
@click.option("--target-drop", type=float, default=0.5, show_default=True)
@click.option("--target-timesteps", type=float)
@click.option("--neuron", default="signed", show_default=True)
@click.option("--accuracy-only", is_flag=True, help="One run of all timesteps, exits by hindsight, no timing.")
@click.option("--artifacts", type=click.Path(path_type=Path), help="Folder to keep what was converted in, as NAME_tT.")
@click.option("--append", is_flag=True, help="Keep the rows that OUTPUT.json has.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/few_networks"), show_default=True)
def main(models: tuple[str, ...], output: Path, timesteps: tuple[int, ...], append: bool, **given: Any) -> None:
    """Measure MODELS, each as NAME=FILE."""
    keep_pages()
    if given["artifacts"] is not None:
        given["artifacts"].mkdir(parents=True, exist_ok=True)
    rows = rows_in(output) if append else []
    rows += [_measure(name, model, t, given) for name, model in named(models) for t in timesteps]
    click.echo(save(output, {"rows": rows}, _table(rows)))


def _measure(name: str, model: str, timesteps: int, given: dict[str, Any]) -> dict[str, Any]:
    calibration, test = open_data(given)
    drop = None if given["target_timesteps"] is not None else given["target_drop"]
    target = sc.ExitTarget(drop=drop, timesteps=given["target_timesteps"])
    start = time.perf_counter()
    artifact = sc.convert(model, calibration, sc.Options(timesteps=timesteps, neuron=given["neuron"], target=target))
    seconds = time.perf_counter() - start
    if given["artifacts"] is not None:
        artifact.save(given["artifacts"] / f"{name}_t{timesteps}")
    result = _accuracy(artifact, test) if given["accuracy_only"] else to_plain(sc.evaluate(artifact, test))
    click.echo(f"{name} T={timesteps}: done", err=True)
    kept = ("ann_accuracy", "accuracy_at", "early_exit", "milliseconds_per_image", "energy")
    found = {key: result[key] for key in kept if key in result}
    rule = artifact.report.conversion.threshold_rule
    return {"network": name, "timesteps": timesteps, "threshold_rule": rule, "convert_seconds": seconds, **found}


def _accuracy(artifact: sc.Artifact, test: sc.Dataset) -> dict[str, Any]:
    """Return accuracies from one run of all timesteps; exits by hindsight are those of early exit."""
    with torch.no_grad():
        run = collect_readouts(artifact.model(), images_of(test))
    steps = exit_steps(artifact.policy, run.scores)
    return {
        **accuracies(artifact, test, run.predictions),
        "early_exit": {
            "accuracy": share(run.answers(steps), test.labels),
            "average_timesteps": float(steps.double().mean()),
        },
    }


SHOWN = (1, 2, 4, 8, 16, 32, 64)


def _table(rows: list[dict[str, Any]]) -> str:
    if not all("milliseconds_per_image" in row for row in rows):
        return _accuracy_table(rows)
    head = ("network", "ANN", "T", "all T", "early exit", "average timesteps", "ms/image: ANN", "all T", "early exit",
            "early exit time / (share of steps x all-T time)", "convert s")  # fmt: skip
    return table(head, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[object]:
    early, ms, t = row["early_exit"], row["milliseconds_per_image"], row["timesteps"]
    ratio = ms["early_exit"] / ms["all_timesteps"] / (early["average_timesteps"] / t)
    times = (early["average_timesteps"], ms["ann"], ms["all_timesteps"], ms["early_exit"], ratio)
    right = [f"{share:.2%}" for share in (row["ann_accuracy"], row["accuracy_at"][str(t)], early["accuracy"])]
    return [row["network"], right[0], t, *right[1:], *(f"{x:.2f}" for x in times), f"{row['convert_seconds']:.0f}"]


def _accuracy_table(rows: list[dict[str, Any]]) -> str:
    """Return points below the ANN after some of the timesteps, and what early exit does."""
    shown = tuple(t for t in SHOWN if any(t <= row["timesteps"] for row in rows))
    return table(
        ("network", "ANN", "T", "thresholds", *(f"points lost at t={t}" for t in shown), "early exit",
         "average timesteps"),
        [
            (row["network"], f"{row['ann_accuracy']:.2%}", row["timesteps"], row["threshold_rule"],
             *points_lost(row, shown), f"{row['early_exit']['accuracy']:.2%}",
             f"{row['early_exit']['average_timesteps']:.2f}")
            for row in rows
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
