"""``seenn-convert calibrate``: an artifact again, with other data, another rule or another target."""

import re
from pathlib import Path
from typing import Any

import click

from seenn_convert.cli.class_names import class_names_option
from seenn_convert.cli.console import conversion_text, progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import calibration_options, existing, known_options, make_options


@click.command(cls=GroupedCommand)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path),
              help="Sample images, never the test set; without them --exit-data fits exits and certificate alone "
                   "again.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder for the result [ARTIFACT itself].")
@class_names_option
@known_options
@calibration_options
def calibrate(
    artifact: Path,
    data: Path | None,
    output: Path | None,
    class_names: tuple[str, ...] | None,
    ann_accuracy: float | None,
    exit_data: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Calibrate ARTIFACT again with its own preprocessing; options that are not given keep their values."""
    from seenn_convert.artifact.artifact import MANIFEST, load_artifact
    from seenn_convert.artifact.files import check_replaceable
    from seenn_convert.data import open_dataset
    from seenn_convert.runtime.memory import keep_pages
    from seenn_convert.workflows.convert import run as compiler

    keep_pages()
    output = output or artifact
    old = load_artifact(artifact).with_classes(class_names)
    check_replaceable(output, MANIFEST)
    options = make_options(given, old.provenance.options)
    if exit_data is not None:
        existing(exit_data)
    shape = old.snn.input_shape
    dataset = None if data is None else open_dataset(existing(data), old.preprocessing, input_shape=shape)
    with progress_bars() as progress:
        fresh = compiler.recalibrate(old, dataset, options, progress, ann_accuracy=ann_accuracy, exit_data=exit_data)
        fresh.save(output)
    say_json(fresh.report) if as_json else click.echo(f"{conversion_text(fresh.report)}\nwrote {output}")


OWN_DEFAULTS = ("device", "batch_size", "levels", "percentile", "output")
"""Options whose defaults apply here too; any other keeps its value if it is not given."""

for option in calibrate.params:
    if isinstance(option, click.Option) and option.name not in OWN_DEFAULTS:
        option.help = re.sub(r" \[[^]]*\]\.?$", ".", option.help or "").replace("..", ".")  # defaults of convert
        option.show_default = "unchanged" if option.show_default else option.show_default
