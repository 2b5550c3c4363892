"""Time the conversion of one network by stages, with its peak memory, and write the table.

Run: ``python benchmarks/conversion_time.py --models FILE.py tv:resnet50 --side 224 --output OUTPUT``. ``FILE.py`` is as
for ``zoo.py``. The images are random pixels: how long a conversion takes does not depend on what they show. Each
conversion runs in a process of its own, so that its peak of memory is its own; the median of ``--repeats`` counts.
"""

import multiprocessing
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from measuring import output_option, save
from zoo import built, loaded

import seenn_convert as sc
from seenn_convert.runtime.memory import keep_pages


@click.command()
@click.argument("name")
@click.option("--models", type=click.Path(path_type=Path), required=True, help="File with names() and build(name).")
@click.option("--side", type=int, default=224, show_default=True)
@click.option("--images", type=int, default=64, show_default=True)
@click.option("--timesteps", type=int, default=4, show_default=True)
@click.option("--calibration", default="fast", show_default=True)
@click.option("--repeats", type=int, default=3, show_default=True)
@output_option
def main(output: Path, repeats: int, **given: Any) -> None:
    """Convert the network NAME."""
    rows = []
    for _ in range(repeats):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(convert, (given,)))
        click.echo(f"{rows[-1]['seconds']:.1f} s", err=True)
    given["models"] = given["models"].name
    click.echo(save(output, {"given": given, "rows": rows}, summary(given, rows)))


def convert(given: dict[str, Any]) -> dict[str, Any]:
    """Convert once; return seconds, those of each stage, and the peak of memory in GB."""
    keep_pages()
    module, _ = built(loaded(given["models"]), given["name"])
    preprocessing = sc.Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    shape = (given["images"], given["side"], given["side"], 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = sc.as_samples((pixels, np.zeros(len(pixels), dtype=np.int64)), preprocessing)
    stages: dict[str, float] = {}
    last = [time.perf_counter(), ""]

    def progress(stage: str, done: int, total: int) -> None:
        now = time.perf_counter()
        if last[1]:
            stages[str(last[1])] = stages.get(str(last[1]), 0.0) + now - float(last[0])
        last[:] = [now, stage]

    start = time.perf_counter()
    sc.convert(module, data, sc.Options(timesteps=given["timesteps"], calibration=given["calibration"]),
               progress=progress)  # fmt: skip
    progress("", 0, 0)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": seconds, "stages": stages, "peak_gb": peak}


def summary(given: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Return the medians."""
    stages = {stage: statistics.median(row["stages"].get(stage, 0.0) for row in rows) for stage in rows[0]["stages"]}
    seconds = sorted(row["seconds"] for row in rows)
    return (
        f"{given['name']}, {given['side']} px, {given['images']} images, T={given['timesteps']}, "
        f"{given['calibration']}: {statistics.median(seconds):.0f} s in the middle of {len(rows)} conversions "
        f"({seconds[0]:.0f} to {seconds[-1]:.0f}), peak {max(row['peak_gb'] for row in rows):.1f} GB. "
        + ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in stages.items()) + "."
    )  # fmt: skip


if __name__ == "__main__":
    main()
