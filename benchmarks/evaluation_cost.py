"""Measure what ``evaluate`` costs against one run of all timesteps, in processor time and peak memory.

Run: ``python benchmarks/evaluation_cost.py NAME=ARTIFACT --test-data FOLDER --images 2000 --output OUTPUT``, where
``NAME`` is what the table calls the network; ``--append`` keeps the rows of other names. Each measurement runs in a
process of its own, so that its peak of memory is its own; processor time does not grow where other work waits beside
it. ``--confidence`` lets images leave at that confidence, whatever the exits of the artifact.
"""

import multiprocessing
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from measuring import images_of, output_option, rows_in, save, table

import seenn_convert as sc
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.state import rows_together
from seenn_convert.runtime.memory import keep_pages
from seenn_convert.runtime.policies import ThresholdPolicy

HEAD = ("network", "images", "T", "average timesteps", "one run of all timesteps, s", "evaluate, s", "ratio",
        "peak memory, GB")  # fmt: skip


@click.command()
@click.argument("artifact")
@click.option("--test-data", type=click.Path(path_type=Path), required=True)
@click.option("--images", type=int, default=2000, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--confidence", type=float)
@click.option("--append", is_flag=True, help="Keep the rows of other networks.")
@output_option
def main(artifact: str, output: Path, append: bool, **given: Any) -> None:
    """Measure ARTIFACT, given as NAME=FOLDER."""
    name, folder = artifact.split("=", 1)
    row: dict[str, Any] = {"network": name, **{key: given[key] for key in ("images", "threads", "confidence")}}
    for work in (one_run, evaluation):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            row |= pool.apply(measured, (work, Path(folder), given))
    rows = [found for found in rows_in(output) if append and found["network"] != name] + [row]
    click.echo(save(output, {"rows": rows}, table(HEAD, map(cells, rows))))


def measured(work: Any, folder: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return what ``work`` finds, with its seconds of processor time and the peak of memory of this process in GB."""
    keep_pages()
    torch.set_num_threads(given["threads"])
    artifact = sc.load_artifact(folder)
    if given["confidence"] is not None:
        policy = ThresholdPolicy("confidence", (given["confidence"],) * artifact.timesteps)
        artifact = replace(artifact, policy=policy)
    data = sc.open_dataset(given["test_data"], artifact.preprocessing).take(given["images"])
    start = time.process_time()
    found: dict[str, Any] = work(artifact, data)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {**found, f"{work.__name__}_seconds": seconds, f"{work.__name__}_peak_gb": peak}


def one_run(artifact: sc.Artifact, data: sc.Dataset) -> dict[str, Any]:
    """Run all timesteps on all images, in batches as ``evaluate`` has them."""
    with torch.no_grad():
        collect_readouts(artifact.model(), images_of(data, rows_together(artifact.snn, 256)))
    return {"timesteps": artifact.timesteps}


def evaluation(artifact: sc.Artifact, data: sc.Dataset) -> dict[str, Any]:
    """Evaluate, as the command does."""
    found = sc.evaluate(artifact, data)
    assert found.timing is not None
    return {"average_timesteps": found.early_exit.average_timesteps, "timing": vars(found.timing)}


def cells(row: dict[str, Any]) -> tuple[object, ...]:
    """Return a row of the table."""
    once, whole = row["one_run_seconds"], row["evaluation_seconds"]
    return (
        row["network"], f"{row['images']:,}", row["timesteps"], f"{row['average_timesteps']:.2f}", f"{once:.1f}",
        f"{whole:.1f}", f"{whole / once:.2f}", f"{row['evaluation_peak_gb']:.2f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
