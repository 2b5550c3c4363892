"""``seenn-convert export``: an artifact as files that another runtime runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seenn_convert.choices import EXPORT_PRECISION_NAMES, READER_NAMES, TARGET_NAMES, ExportPrecision, Reader, Target
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import existing, json_option

if TYPE_CHECKING:
    from seenn_convert.exporters.eight_bits import Rounding
    from seenn_convert.exporters.exporter import Verification


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGET_NAMES), default="onnx", show_default=True,
              help="onnx: stem and step as files, with a driver; onnx-loop: one file, image in and class out; pt2: "
                   "programs of torch.export; nir: a NIR file.")  # fmt: skip
@click.option("--reader", type=click.Choice(READER_NAMES),
              help="What will read the NIR file; primitives says all in nodes of NIR [primitives].")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the export.")
@click.option("--data", type=click.Path(path_type=Path), help="Images to run the export on [made up].")
@click.option("--limit", type=click.IntRange(min=1), default=256, show_default=True, help="Images to run at most.")
@click.option("--verify/--no-verify", default=True, show_default=True,
              help="Run what was written beside the network; if it computes something else, keep nothing.")  # fmt: skip
@click.option("--precision", type=click.Choice(EXPORT_PRECISION_NAMES), default="float32", show_default=True,
              help="int8: weights in 8 bits (onnx, onnx-loop); exits and certificate are fitted again to the images of "
                   "--data.")  # fmt: skip
@class_names_option
@json_option
def export(
    artifact: Path, target: Target, reader: Reader | None, output: Path, data: Path | None, limit: int, verify: bool,
    precision: ExportPrecision, class_names: tuple[str, ...] | None, as_json: bool,
) -> None:  # fmt: skip
    """Write the converted network ARTIFACT for another runtime, and run what was written beside it.

    If the target cannot express a part of the network, each node is named with what would help.
    """
    from seenn_convert.artifact.artifact import load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.exporters.document import DOCUMENT
    from seenn_convert.workflows import export as exporting

    loaded = load_artifact(artifact).with_classes(class_names)
    check_replaceable(output, DOCUMENT)
    images = None if data is None else existing(data)
    with progress_bars() as progress:
        made = exporting.export(
            loaded,
            target,
            output,
            images,
            reader=reader,
            images=limit,
            verify=verify,
            precision=precision,
            progress=progress,
        )
    if as_json:
        say_json(vars(made) | {"folder": str(made.folder)})
        return
    words = ["not run: --no-verify"] if made.verification is None else verification_lines(made.verification)
    rounding = [] if made.rounding is None else rounding_lines(made.rounding)
    click.echo("\n".join([*rounding, *words, f"wrote {output}"]))


def verification_lines(found: "Verification") -> list[str]:
    """Return what came out when an export was run, in a few lines."""
    kind = "made-up inputs (give images with --data)" if found.made_up else "images"
    flipped = f"; {found.flipped_rows} rows apart with a neuron on the edge of firing" if found.flipped_rows else ""
    lines = [
        f"run in {found.runtime} on {found.images} {kind}",
        f"answers that differ: {found.answers_differ}; exit steps that differ: {found.exits_differ}",
    ]
    if found.spikes is not None:
        lines.append(f"spikes that differ: {found.spikes_differ:,}, beside {found.spikes:,} that were sent")
    if found.answers_differ_by_rounding is not None and found.exits_differ_by_rounding is not None:
        lines.append(
            f"for comparison, single against double precision: {found.answers_differ_by_rounding} answers, "
            f"{found.exits_differ_by_rounding} exit steps"
        )
    return [*lines, f"largest relative error where neither differs: {found.largest_error:.1e}{flipped}"]


def rounding_lines(found: "Rounding") -> list[str]:
    """Return what weights in 8 bits changed, in a few lines."""
    fitted = f"fitted to {found.fitted_images} images" if found.exits == "fitted" else "kept"
    lines = [f"weights in {found.weight_bits} bits; exits {fitted}"]
    if found.average_timesteps is not None:
        before, after = found.average_timesteps
        right = "" if found.accuracy is None else "accuracy {:.2%}, before {:.2%}; ".format(*reversed(found.accuracy))
        lines.append(
            f"on {found.judged_images} other images: {right}{found.answers_changed} answers and {found.exits_changed} "
            f"exit steps differ; {after:.2f} timesteps on average, before {before:.2f}"
        )
    return [*lines, *(f"note: {note}" for note in found.notes)]
