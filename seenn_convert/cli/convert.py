"""``seenn-convert convert``: a model and sample images in, an artifact out."""

from pathlib import Path
from typing import Any

import click

from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.options import (
    calibration_options,
    existing,
    make_options,
    make_preprocessing,
    preprocessing_options,
)


@click.command()
@click.argument("model")
@click.option("--calibration-data", "data", type=click.Path(path_type=Path), required=True,
              help="Sample images, never the test set: .npz, a folder of class folders, or IDX.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the artifact.")
@click.option("--weights", type=click.Path(path_type=Path), help="State of the factory's module, .safetensors.")
@preprocessing_options
@calibration_options
def convert(model: str, data: Path, output: Path, weights: Path | None, as_json: bool, **given: Any) -> None:
    """Convert MODEL into a spiking network with early exit.

    MODEL is an .onnx file, a .pt2 file, or package.module:factory with --weights.
    """
    from seenn_convert import compiler
    from seenn_convert.data import open_dataset
    from seenn_convert.export.artifact import MANIFEST
    from seenn_convert.export.files import check_replaceable
    from seenn_convert.frontend.load import is_file_format, read_model
    from seenn_convert.runtime.memory import keep_pages

    keep_pages()
    preprocessing = make_preprocessing(given["mean"], given["std"], given["resize"], given["crop"])
    check_replaceable(output, MANIFEST)
    options = make_options(given)
    existing(data)
    source = read_model(model, weights=weights) if is_file_format(model) else None
    dataset = open_dataset(data, preprocessing, None if source is None else source.program.input_shape[0])
    with progress_bars() as progress:
        artifact = compiler.convert(source or model, dataset, options, weights, progress)
        artifact.save(output)
    say_json(artifact.report) if as_json else click.echo(f"{conversion_text(artifact.report)}\nwrote {output}")
