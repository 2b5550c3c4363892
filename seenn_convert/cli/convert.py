"""``seenn-convert convert``: a model and sample images in, an artifact out."""

from pathlib import Path
from typing import Any

import click

from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.exploring import explored, exploring_options, save_with_page
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import (
    SHAPE,
    calibration_options,
    existing,
    known_options,
    make_options,
    make_preprocessing,
    output_name_option,
    preprocessing_options,
    weights_option,
)


@click.command(cls=GroupedCommand)
@click.argument("model")
@click.option("--calibration-data", "data", type=click.Path(path_type=Path), required=True,
              help="Sample images, never the test set: .npz, a folder of class folders, or IDX files.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write the artifact to.")
@weights_option
@click.option("--input-shape", type=SHAPE,
              help="Shape of one image, for package.module:factory or a file that leaves sizes "
                   "open [from the data].")  # fmt: skip
@class_names_option
@output_name_option
@preprocessing_options
@known_options
@exploring_options
@calibration_options
def convert(
    model: str, data: Path, output: Path, weights: Path | None, input_shape: tuple[int, ...] | None,
    class_names: tuple[str, ...] | None, output_name: str | None, ann_accuracy: float | None,
    exit_data: Path | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Convert MODEL into a spiking network with early exit.

    MODEL is an .onnx file, a .pt2 file, or package.module:factory with --weights.
    """
    from seenn_convert.artifact.artifact import MANIFEST
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.convert import run as compiler
    from seenn_convert.workflows.explore.run import Inputs, explore

    keep_pages()
    check_replaceable(output, MANIFEST)
    exploring = explored(given)
    options = make_options(given)
    existing(data)
    if exit_data is not None:
        existing(exit_data)
    with progress_bars() as progress:
        inputs: Inputs = {
            "weights": weights, "output_name": output_name, "preprocessing": make_preprocessing(given),
            "input_shape": input_shape, "class_names": class_names, "ann_accuracy": ann_accuracy,
            "exit_data": exit_data,
        }  # fmt: skip
        if exploring is None:
            artifact = compiler.convert(model, data, options, progress=progress, **inputs)
            artifact.save(output)
        else:
            artifact = explore(model, data, options, progress=progress, **exploring, **inputs)
            save_with_page(artifact, output)
    say_json(artifact.report) if as_json else click.echo(f"{conversion_text(artifact.report)}\nwrote {output}")
