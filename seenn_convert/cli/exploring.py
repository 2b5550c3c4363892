"""The options of ``convert --explore``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seenn_convert.choices import PREFER_NAMES, VARIED_NAMES
from seenn_convert.cli.options import told

if TYPE_CHECKING:
    from seenn_convert.artifact.artifact import Artifact

F = TypeVar("F", bound=Callable[..., Any])


def exploring_options(function: F) -> F:
    """Add the options of exploring, which ``convert`` alone has."""
    for option in (
        click.option("--prefer", type=click.Choice(PREFER_NAMES),
                     help="What --explore prefers among the settings that reach the target: highest expected accuracy, "
                          "fewest timesteps, least time or least energy [steps; accuracy if the target is timesteps "
                          "or time]."),
        click.option("--minutes", type=click.FloatRange(0, min_open=True), default=5.0, show_default=True,
                     help="Time that --explore may take."),
        click.option("--explore", is_flag=True,
                     help="Try neuron types, numbers of timesteps, presets, and a network without an analog front, on "
                          "held-out images; list what they give, and keep the one preferred; --neuron, -T, "
                          "--calibration and --front stay as they are if they are given."),
    ):  # fmt: skip
        function = option(function)
    return function


def explored(given: dict[str, Any]) -> dict[str, Any] | None:
    """Take the options of exploring out of ``given`` and return them as ``explore`` takes them; None without it.

    Raises:
        click.UsageError: One of them is given without ``--explore``.
    """
    wanted, minutes, prefer = given.pop("explore"), given.pop("minutes"), given.pop("prefer")
    for option in ("minutes", "prefer"):
        if told(option) and not wanted:
            raise click.UsageError(f"--{option} has no effect without --explore")
    vary = [name for name in VARIED_NAMES if not told(name)]
    return {"minutes": minutes, "prefer": prefer, "vary": vary} if wanted else None


def save_with_page(artifact: "Artifact", output: Path) -> None:
    """Write an artifact and the page that shows the settings, at once: a killed run leaves what was there before."""
    from seenn_convert.artifact.artifact import MANIFEST
    from seenn_convert.artifact.files import replaced_folder
    from seenn_convert.report.write import write_report

    with replaced_folder(output, MANIFEST) as folder:
        artifact.save(folder)
        write_report(folder, artifact, None)
