"""``seenn-convert bench``: how fast a converted network is, by each backend, beside its ANN."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seenn_convert.choices import BACKEND_NAMES, Backend
from seenn_convert.cli.console import columns_text, progress_bars
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import COUNTS, device_option, existing, output_name_option, weights_option

if TYPE_CHECKING:
    from seenn_convert.measure.speed import Speed

MEASURABLE = tuple(name for name in BACKEND_NAMES if name != "auto")


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--against", help="ANN to compare with: .onnx, .pt2 or package.module:factory [the artifact's own].")
@weights_option
@output_name_option
@click.option("--data", type=click.Path(path_type=Path), help="Images to run, best with labels [made up].")
@click.option(
    "--backend",
    "backends",
    type=click.Choice(MEASURABLE),
    multiple=True,
    help="What runs the network, and the ANN beside it; may be given several times [eager and onnxruntime].",
)
@click.option(
    "--batch",
    "batches",
    type=COUNTS,
    default="1,64,256",
    show_default=True,
    help="Batch sizes; 1 measures the latency of single images.",
)
@click.option(
    "--images", type=click.IntRange(min=1), default=256, show_default=True, help="How many images run in batches."
)
@click.option(
    "--singles", type=click.IntRange(min=1), default=100, show_default=True, help="How many images run one at a time."
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How often everything runs, in turn; the median counts.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of PyTorch and onnxruntime [as they are].")
@device_option
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File to write as JSON, with a page of the same name beside it [none].",
)
def bench(
    artifact: Path, against: str | None, weights: Path | None, output_name: str | None, data: Path | None,
    backends: tuple[Backend, ...], batches: tuple[int, ...], images: int, singles: int, rounds: int,
    threads: int | None, device: str, json_file: Path | None,
) -> None:  # fmt: skip
    """Measure how fast ARTIFACT is, beside its ANN in PyTorch and in onnxruntime, in single precision and in 8 bits.

    Everything runs in turn, in one run, on the same images.
    """
    from seenn_convert.report.write import check_speed_file, write_speed
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows import bench as benching

    keep_pages()
    if json_file is not None:
        check_speed_file(json_file)
    with progress_bars() as progress:
        found = benching.bench(
            artifact, None if data is None else existing(data), against, backends=backends or benching.BACKENDS,
            batches=batches, images=images, singles=singles, rounds=rounds, threads=threads, device=device,
            weights=weights, output_name=output_name, progress=progress,
        )  # fmt: skip
    click.echo(speed_text(found))
    if json_file is not None:
        click.echo(f"\nwrote {json_file} and {write_speed(json_file, found)}")


def speed_text(speed: "Speed") -> str:
    """Return what was measured, as tables."""
    from seenn_convert.report.narrative.speed import speed_words
    from seenn_convert.report.numbers import plain
    from seenn_convert.report.speed import answers_table, latency_table, times_table

    parts = [speed_words(speed)]
    for table in (times_table(speed), latency_table(speed), answers_table(speed)):
        if table.rows:
            rows = [[cell.words for cell in row] for row in table.rows]
            parts.append(f"{table.name}\n{columns_text([[column.heading for column in table.columns], *rows])}")
    parts += [f"{name} was not measured: {reason}" for name, reason in speed.left_out.items()]
    return plain("\n\n".join(parts))
