"""``seenn-convert evaluate``: how good an artifact is on data it has not seen."""

from dataclasses import replace
from pathlib import Path

import click

from seenn_convert.choices import Backend
from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import evaluation_text, progress_bars, say_json, warning_lines
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import (
    SEED,
    backend_option,
    batch_size_option,
    device_option,
    existing,
    figures_option,
    json_option,
    output_name_option,
    weights_option,
)
from seenn_convert.errors import InputError


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Labelled images not used before.")
@click.option("--against", help="ANN to compare with: .onnx, .pt2 or package.module:factory [the artifact's own].")
@weights_option
@output_name_option
@click.option("--limit", type=click.IntRange(min=1), help="Draw N images, each class by its share [all].")
@class_names_option
@batch_size_option(256)
@device_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for drawing the images of --limit.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write report.json and report.html.")
@figures_option
@json_option
@backend_option
def evaluate(
    artifact: Path, data: Path, against: str | None, weights: Path | None, output_name: str | None,
    limit: int | None, class_names: tuple[str, ...] | None, batch_size: int, device: str, seed: int, report: bool,
    figures: Path | None, as_json: bool, backend: Backend | None,
) -> None:  # fmt: skip
    """Evaluate ARTIFACT and write its report.

    ARTIFACT may be a folder that 'export' wrote, too: accuracy and exits in the runtime of its target are printed then,
    and no report is written.
    """
    from seenn_convert.artifact.artifact import load_artifact
    from seenn_convert.artifact.files import check_writable
    from seenn_convert.data import open_dataset
    from seenn_convert.devices import check_device
    from seenn_convert.exporters.document import is_export
    from seenn_convert.report.figures import check_figures, figures_words, write_figures
    from seenn_convert.report.write import REPORT_FILES, write_report
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows import evaluate as judging

    keep_pages()
    check_device(device)
    if backend is not None or is_export(artifact):
        if against or figures:
            raise InputError("an export is evaluated alone; leave out --against and --figures, or --backend")
        _evaluate_exported(artifact, data, limit, class_names, batch_size, device, seed, backend, as_json)
        return
    loaded = load_artifact(artifact).with_classes(class_names)
    if report:
        check_writable(artifact, REPORT_FILES)
    if figures is not None:
        check_figures(figures)
    dataset = open_dataset(existing(data), loaded.preprocessing, input_shape=loaded.snn.input_shape, labelled=True)
    dataset = dataset if limit is None else dataset.take(limit, seed)
    with progress_bars() as progress:
        result = judging.evaluate(
            loaded, dataset, batch_size, device, against, progress, weights=weights, output_name=output_name
        )
        page = write_report(artifact, loaded, result) if report else None
    if figures is not None:
        click.echo(figures_words(figures, write_figures(replace(loaded.report, evaluation=result), figures)), err=True)
    if as_json:
        say_json(result)
        return
    for line in warning_lines(result.warnings):
        click.echo(line, err=True)
    click.echo(evaluation_text(result))
    if page is not None:
        click.echo(f"\nwrote {page}")


def _evaluate_exported(
    exported: Path, data: Path, limit: int | None, class_names: tuple[str, ...] | None, batch_size: int, device: str,
    seed: int, backend: Backend | None, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate an export, or an artifact run by another backend, and print what came out."""
    from seenn_convert.data import open_dataset
    from seenn_convert.measure.data_cautions import byte_cautions
    from seenn_convert.workflows import evaluate as judging
    from seenn_convert.workflows.runnable import runnable

    with progress_bars() as progress:
        network = runnable(exported, backend, device, progress).with_classes(class_names)
    dataset = open_dataset(existing(data), network.preprocessing, input_shape=network.input_shape, labelled=True)
    dataset = dataset if limit is None else dataset.take(limit, seed)
    with progress_bars() as progress:
        found = judging.evaluate_exported(network, dataset, batch_size, progress)
    for line in warning_lines(tuple(byte_cautions(dataset))):
        click.echo(line, err=True)
    for note in network.notes:
        click.echo(note, err=True)
    if as_json:
        say_json(found)
        return
    early, (low, high) = found.early_exit, found.early_exit.interval95
    click.echo(
        f"{found.images} images: {early.accuracy:.2%} right (95% CI {low:.2%} to {high:.2%}), "
        f"{early.average_timesteps:.2f} of {network.timesteps} timesteps on average, "
        f"{found.milliseconds_per_image:.3g} ms per image\n"
        f"confidence: {found.confidence.average:.1%} on average, calibration error "
        f"{found.confidence.calibration_error:.1%}"
    )
