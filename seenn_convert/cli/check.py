"""``seenn-convert check``: whether a network fits a chip, before money is spent."""

import sys
from pathlib import Path

import click

from seenn_convert.choices import CHECK_TARGET_NAMES
from seenn_convert.cli.console import progress_bars, say_json
from seenn_convert.cli.help import GroupedCommand
from seenn_convert.cli.options import SEED, SHAPE, existing, json_option, output_name_option, weights_option


@click.command(cls=GroupedCommand)
@click.argument("artifact_or_model")
@click.option("--target", required=True, metavar="TARGET",
              help=f"What it has to fit: {', '.join(CHECK_TARGET_NAMES)}, or a .toml file of your own.")  # fmt: skip
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Images on which an artifact is run with the number formats of the target, best with labels [none].",
)
@click.option("--limit", type=click.IntRange(min=1), default=256, show_default=True,
              help="Draw N of these images, each class by its share.")  # fmt: skip
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed for drawing the images of --limit.")
@weights_option
@click.option("--input-shape", type=SHAPE,
              help="Shape of one image, for package.module:factory or a file that leaves sizes "
                   "open, e.g. 3,32,32.")  # fmt: skip
@output_name_option
@json_option
def check(
    artifact_or_model: str, target: str, data: Path | None, limit: int, seed: int, weights: Path | None,
    input_shape: tuple[int, ...] | None, output_name: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Check whether ARTIFACT_OR_MODEL fits a chip or another tool, and say what would help where it does not.

    Every node is checked against the limits of the target. Exit codes: 0 it fits, 1 it does not (or it cannot be read),
    2 wrong usage.
    """
    from seenn_convert.cli.check_text import fit_text
    from seenn_convert.workflows import check as checking

    with progress_bars() as progress:
        fit = checking.check(
            artifact_or_model, target, data=None if data is None else existing(data), limit=limit, seed=seed,
            input_shape=input_shape, weights=weights, output_name=output_name, progress=progress,
        )  # fmt: skip
    say_json(fit) if as_json else click.echo(fit_text(fit))
    if not fit.fits:
        sys.exit(1)
