"""``seenn-convert demo``: the whole journey on the shipped sample."""

from pathlib import Path

import click

from seenn_convert.cli.console import conversion_text, evaluation_text, progress_bars
from seenn_convert.cli.help import GroupedCommand

TARGET_TIMESTEPS = 3.7
"""What the sample shall spend on average; chosen on training images."""


@click.command(cls=GroupedCommand)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("demo-output"), show_default=True,
              help="Folder to write the artifact to.")  # fmt: skip
def demo(output: Path) -> None:
    """Convert, calibrate and evaluate the shipped sample, a small network for Fashion-MNIST."""
    from seenn_convert import sample
    from seenn_convert.artifact.artifact import MANIFEST
    from seenn_convert.artifact.files import check_replaceable, replaced_folder
    from seenn_convert.data import Preprocessing, open_dataset
    from seenn_convert.exits.thresholds import ExitTarget
    from seenn_convert.report.write import PAGE, write_report
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.convert import run as compiler
    from seenn_convert.workflows.convert.options import Options
    from seenn_convert.workflows.evaluate import evaluate

    keep_pages()
    check_replaceable(output, MANIFEST)
    preprocessing = Preprocessing(mean=sample.MEAN, std=sample.STD)
    options = Options(target=ExitTarget(timesteps=TARGET_TIMESTEPS))
    with progress_bars() as progress:
        click.echo(f"converting {sample.MODEL.name}, calibrated on 1,000 images kept out of training")
        data = open_dataset(sample.CALIBRATION, preprocessing)
        artifact = compiler.convert(
            sample.MODEL, data, options, progress=progress, class_names=sample.CLASS_NAMES, ann_accuracy=sample.ACCURACY
        )
        click.echo(conversion_text(artifact.report))
        click.echo("evaluating on 2,000 test images")
        test = open_dataset(sample.TEST, preprocessing)
        result = evaluate(artifact, test, progress=progress)
    with replaced_folder(output, MANIFEST) as folder:  # artifact and page at once: a killed run leaves the old ones
        artifact.save(folder)
        write_report(folder, artifact, result)
    click.echo(f"\n{evaluation_text(result)}\n\nlook at {output / PAGE}")
