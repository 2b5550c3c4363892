"""Measure networks by every backend beside their ANN and, where it is installed, SpikingJelly, in turn in one run.

Run: ``python benchmarks/speed.py NAME=MODEL ... --calibration-data DATA --test-data DATA --mean A,B,C --std A,B,C
--threads 2 --output benchmarks/results/speed``, on a machine on which nothing else runs.

MODEL is converted, or is an artifact. SpikingJelly converts the same ANN with the same calibration images and runs all
of each of ``--peer-timesteps``. Rows are kept one by one.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import measuring
import peers
import torch
from torch import Tensor

import seenn_convert as sc
from seenn_convert.artifact.artifact import is_artifact
from seenn_convert.artifact.files import json_text
from seenn_convert.choices import BACKEND_NAMES
from seenn_convert.cli.options import COUNTS
from seenn_convert.ir.program import Program
from seenn_convert.measure.speed import Speed, Timed
from seenn_convert.report.numbers import number, percent, significant
from seenn_convert.runtime.memory import keep_pages

HEAD = (
    "network", "way", "batch", "ms per image", "CPU ms", "images per second", "timesteps", "ms per timestep",
    "timestep over ANN", "efficiency", "p95, ms", "p95 under load, ms", "memory, MB", "accuracy", "same exits",
)  # fmt: skip


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--timesteps", type=int, default=16, show_default=True)
@click.option("--calibration", default="balanced", show_default=True)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(BACKEND_NAMES),
    default=("eager", "compiled", "onnxruntime"),
    show_default=True,
)
@click.option("--batch", "batches", type=COUNTS, default="1,64,256", show_default=True)
@click.option("--singles", type=int, default=200, show_default=True)
@click.option("--rounds", type=int, default=5, show_default=True)
@click.option("--threads", type=int, default=2, show_default=True)
@click.option("--peer-timesteps", type=COUNTS, default="16,64", show_default=True, help="Of SpikingJelly.")
@click.option("--peer-recipe", type=click.Choice(list(peers.RECIPES)), default="percentile", show_default=True)
@measuring.data_options
@measuring.output_option
def main(
    models: tuple[str, ...], timesteps: int, calibration: Any, peer_timesteps: tuple[int, ...], peer_recipe: str,
    output: Path, **given: Any,
) -> None:  # fmt: skip
    """Measure MODELS, each as NAME=FILE or NAME=ARTIFACT."""
    keep_pages()
    torch.set_num_threads(given["threads"])
    fitting, test = measuring.open_data(given)
    settings = {name: given[name] for name in ("backends", "batches", "singles", "rounds", "threads")}
    rows = measuring.rows_in(output)
    for name, model in measuring.named(models):
        options = sc.Options(timesteps=timesteps, calibration=calibration)
        artifact = sc.load_artifact(model) if is_artifact(Path(model)) else sc.convert(model, fitting, options)
        others = _peers(artifact.ann, fitting, peer_timesteps, peer_recipe)
        found = sc.bench(artifact, test, images=len(test), others=others, **settings)
        rows = [row for row in rows if row["network"] != name] + _rows(name, found)
        measuring.save(output, {"rows": rows}, _table(rows))
        click.echo(_table(_rows(name, found)))
        click.echo(json_text(dict(found.left_out)))


def _peers(
    ann: Program, fitting: sc.Dataset, timesteps: Iterable[int], recipe: str
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return SpikingJelly's network for each number of timesteps; nothing where it is not installed, or refuses."""
    try:
        version = peers.version()
        converted = peers.spikingjelly(peers.plain(ann), recipe, measuring.images_of(fitting, 64)).eval()
    except Exception as error:  # it is not installed, or refuses the network
        click.echo(f"without SpikingJelly: {type(error).__name__}: {error}", err=True)
        return {}

    def answers(t: int) -> Callable[[Tensor], Tensor]:
        return lambda images: peers.mean_outputs(converted, images, [t])[-1]

    return {f"SpikingJelly {version}, T={t}": answers(t) for t in timesteps}


def _rows(name: str, speed: Speed) -> list[dict[str, Any]]:
    """Return what was measured as one row for each way and batch size."""
    answers = {one.name: one for one in speed.answers}
    return [
        {
            "network": name,
            "T": speed.timesteps,
            "threads": speed.threads,
            "images": speed.images,
            "arrivals": speed.arrivals,
            **_plain(one),
            "accuracy": answers[one.name].accuracy,
            "same_exits": answers[one.name].same_exits,
        }
        for one in speed.timed
    ]


def _plain(one: Timed) -> dict[str, Any]:
    found = {name: value for name, value in vars(one).items() if name not in ("latency", "under_load")}
    for name, latency in (("latency", one.latency), ("under_load", one.under_load)):
        found[name] = None if latency is None else {part: getattr(latency, part) for part in ("p50", "p95", "p99")}
    return found


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        latency, load = ((row[name] or {}).get("p95") for name in ("latency", "under_load"))
        lines.append((
            row["network"], row["name"], row["batch"], significant(row["milliseconds"]),
            significant(row["processor"]),
            significant(1000 / row["milliseconds"]), number(row["average_timesteps"], 2), significant(row["step"]),
            number(row["over_ann"], 2), number(row["efficiency"], 2), significant(latency), significant(load),
            number(row["peak_megabytes"]), percent(row["accuracy"], 2), percent(row["same_exits"], 2),
        ))  # fmt: skip
    return measuring.table(HEAD, lines)


if __name__ == "__main__":
    main()
