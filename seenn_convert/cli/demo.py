"""``seenn-convert demo``: the whole journey on the shipped sample."""

from pathlib import Path

import click

from seenn_convert.cli.console import conversion_text, evaluation_text, progress_bars
from seenn_convert.errors import InputError

MEAN, STD, TARGET_TIMESTEPS = (0.2860,), (0.3530,), 3.7
"""What the sample was trained with, and what it shall spend; chosen on training images."""


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("demo-output"), show_default=True,
              help="Folder for the artifact.")  # fmt: skip
@click.option("--sample", type=click.Path(path_type=Path), help="The folder sample/ of a clone [found by itself].")
def demo(output: Path, sample: Path | None) -> None:
    """Convert, calibrate and evaluate the shipped sample, a small network for Fashion-MNIST."""
    from seenn_convert.artifact.artifact import MANIFEST, load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.data import Preprocessing, open_dataset
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.report.write import write_report
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.convert import run as compiler
    from seenn_convert.workflows.convert.options import Options
    from seenn_convert.workflows.evaluate import evaluate

    keep_pages()
    check_replaceable(output, MANIFEST)
    folder = sample or Path(__file__).parents[2] / "sample"
    if not (folder / "fashion_mnist.onnx").is_file():
        raise InputError(f"{folder}: no sample there; run this in a clone of the project or give --sample")
    preprocessing = Preprocessing(mean=MEAN, std=STD)
    options = Options(target=ExitTarget(timesteps=TARGET_TIMESTEPS))
    with progress_bars() as progress:
        click.echo("converting sample/fashion_mnist.onnx, calibrated on 1,000 training images")
        data = open_dataset(folder / "calibration.npz", preprocessing)
        compiler.convert(folder / "fashion_mnist.onnx", data, options, None, progress).save(output)
        artifact = load_artifact(output)
        click.echo(conversion_text(artifact.report))
        click.echo("evaluating on 2,000 test images")
        test = open_dataset(folder / "test.npz", artifact.preprocessing)
        result = evaluate(artifact, test, progress=progress)
        page = write_report(output, artifact, result)
    click.echo(f"\n{evaluation_text(result)}\n\nlook at {page}")
