"""``seenn-convert convert``: a model and sample images in, an artifact out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seenn_convert.cli.class_names import read_class_names
from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.options import (
    Shape,
    calibration_options,
    existing,
    make_options,
    make_preprocessing,
    output_name_option,
    preprocessing_options,
)

if TYPE_CHECKING:
    from seenn_convert.data import Dataset, Preprocessing
    from seenn_convert.frontend.load import Source


@click.command()
@click.argument("model")
@click.option("--calibration-data", "data", type=click.Path(path_type=Path), required=True,
              help="Sample images, never the test set: .npz, a folder of class folders, or IDX.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the artifact.")
@click.option("--weights", type=click.Path(path_type=Path), help="State of the factory's module, .safetensors.")
@click.option("--input-shape", type=Shape(), help="Shape of one image, for package.module:factory [tried out].")
@click.option("--class-names", type=click.Path(path_type=Path), help="Text file that names the classes, one per line.")
@output_name_option
@preprocessing_options
@calibration_options
def convert(
    model: str, data: Path, output: Path, weights: Path | None, input_shape: tuple[int, ...] | None,
    class_names: Path | None, output_name: str | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Convert MODEL into a spiking network with early exit.

    MODEL is an .onnx file, a .pt2 file, or package.module:factory with --weights.
    """
    from seenn_convert.artifact.artifact import MANIFEST
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.frontend.load import is_file_format
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.convert import run as compiler

    keep_pages()
    preprocessing = make_preprocessing(given["mean"], given["std"], given["resize"], given["crop"])
    check_replaceable(output, MANIFEST)
    options = make_options(given)
    existing(data)
    names = None if class_names is None else read_class_names(class_names)
    if not is_file_format(model):
        source, dataset = _open_factory(model, data, preprocessing, input_shape, weights, output_name)
    elif input_shape is None:
        source, dataset = _open_file(model, data, preprocessing, weights, output_name)
    else:
        raise click.UsageError("--input-shape is for package.module:factory; a file knows the shape of its images")
    with progress_bars() as progress:
        artifact = compiler.convert(source, dataset, options, progress=progress, class_names=names)
        artifact.save(output)
    say_json(artifact.report) if as_json else click.echo(f"{conversion_text(artifact.report)}\nwrote {output}")


def _open_file(
    model: str, data: Path, preprocessing: "Preprocessing", weights: Path | None, output_name: str | None
) -> tuple["Source", "Dataset"]:
    from seenn_convert.data import open_dataset
    from seenn_convert.frontend.load import read_model

    source = read_model(model, weights=weights, output_name=output_name)
    return source, open_dataset(data, preprocessing, source.program.input_shape[0])


def _open_factory(
    model: str, data: Path, preprocessing: "Preprocessing", input_shape: tuple[int, ...] | None, weights: Path | None,
    output_name: str | None,
) -> tuple["Source", "Dataset"]:  # fmt: skip
    """Read a model that does not say what it takes: what the user says, or what its module accepts, grey or colour."""
    from seenn_convert.data import open_dataset
    from seenn_convert.frontend.load import read_for_images, read_model

    told = [len(values) for values in (preprocessing.mean, preprocessing.std) if values and len(values) > 1]
    channels = input_shape[0] if input_shape else next(iter(told), None)
    dataset = open_dataset(data, preprocessing, channels)
    if input_shape is not None:
        return read_model(model, input_shape, weights, output_name), dataset
    source = read_for_images(model, dataset.image_shape, weights, output_name)
    found = source.program.input_shape[0]
    return source, dataset if found == dataset.image_shape[0] else open_dataset(data, preprocessing, found)
