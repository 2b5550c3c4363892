"""``seenn-convert compare``: ways to stop early, against what they cost, as one page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import columns_text, progress_bars, say_json, warning_lines
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import SEED, batch_size_option, device_option, existing, figures_option, json_option

if TYPE_CHECKING:
    from seenn_convert.artifact.schema.comparison import Comparison

AVERAGES = (2, 3, 4, 6, 8, 10)
NO_HEAD = "no policy head: seenn-convert attach-policy would add the ways planned and planned + confidence"


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Labelled images not used before.")
@click.option("--calibration-data", type=click.Path(path_type=Path), required=True,
              help="Images used to choose the settings of each strategy, never those of --data.")  # fmt: skip
@click.option("--images", type=click.IntRange(min=1), help="Draw N images of --data, each class by its share [all].")
@click.option("--calibration-images", type=click.IntRange(min=1), help="Draw N images of --calibration-data [all].")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Folder to write comparison.json and comparison.html to [ARTIFACT].")  # fmt: skip
@class_names_option
@batch_size_option(256)
@device_option
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for splitting the calibration data.")
@figures_option
@json_option
def compare(
    artifact: Path, data: Path, calibration_data: Path, images: int | None, calibration_images: int | None,
    output: Path | None, class_names: tuple[str, ...] | None,
    batch_size: int, device: str, seed: int, figures: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Compare exit strategies for ARTIFACT: exit scores, one global threshold, a fixed timestep, a policy head."""
    from seenn_convert.analysis.frames import frames_of
    from seenn_convert.artifact.artifact import load_artifact
    from seenn_convert.artifact.files import check_makeable
    from seenn_convert.data import open_dataset
    from seenn_convert.measure import compare as comparing
    from seenn_convert.report.figures import check_figures, figures_words, write_figures
    from seenn_convert.report.write import COMPARISON_FILES, write_comparison
    from seenn_convert.runtime.memory import keep_pages

    keep_pages()
    network = load_artifact(artifact).with_classes(class_names)
    output = output or artifact
    check_makeable(output, COMPARISON_FILES)
    if figures is not None:
        check_figures(figures)
    judged, known = (
        open_dataset(existing(path), network.preprocessing, input_shape=network.snn.input_shape, labelled=labelled)
        for path, labelled in ((data, True), (calibration_data, False))
    )
    judged = judged if images is None else judged.take(images)
    known = known if calibration_images is None else known.take(calibration_images)
    with progress_bars() as progress:
        found = comparing.compare(network, judged, known, batch_size, device, seed, progress=progress)
    page = write_comparison(output, found)
    if figures is not None:
        click.echo(figures_words(figures, write_figures(found, figures)), err=True)
    advice = NO_HEAD if found.policy_macs is None and frames_of(network.snn) is None else ""
    say_json(found) if as_json else click.echo(f"{_text(found, advice)}\n\nlook at {page}")


def _text(found: "Comparison", advice: str = "") -> str:
    """Return the points that each way loses as a table, and ``advice`` below it."""
    from seenn_convert.measure.curves import at_average, average_within

    shown = [average for average in AVERAGES if average < found.timesteps]
    rows = [("points lost at an average of", *map(str, shown), "0.5 lost from")]
    for way in found.ways:
        lost = [_number(at_average(way.points, average)) for average in shown]
        rows.append((way.label, *lost, _number(average_within(way.points, 0.5))))
    has_ann, against = found.reference == "ann", "points lost against the run of all timesteps"
    if has_ann:
        against = "points lost against the ANN; comparison.json also has those against the run of all timesteps"
    ann = f"ANN {found.ann_accuracy:.2%}, " if has_ann else ""
    return "\n".join([
        f"{found.data.images} images; {ann}all {found.timesteps} timesteps {found.accuracy_at[-1]:.2%}",
        f"ideal: {found.ideal.average_timesteps:.2f} timesteps, leaving at the first right answer",
        "",
        columns_text(rows),
        against,
        *([advice] if advice else []),
        *warning_lines(found.warnings),
    ])  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
