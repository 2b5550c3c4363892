"""The groups in which ``--help`` lists the options of a command."""

import itertools
from collections.abc import Sequence
from typing import Any

import click

from seenn_convert.cli.failures import debug_option
from seenn_convert.cli.options import Parsed

GROUPS = {
    "Main options": "target data calibration-data output timesteps calibration target-drop format policy to reader "
    "verify precision netron",
    "Model": "weights input-shape output-name against teacher",
    "Data": "preprocessing mean std resize interpolation crop frames frames-by sensor class-names exit-data "
    "ann-accuracy limit images calibration-images",
    "Network": "readout neuron neuron-levels encode skips depthwise front front-budget require-spiking",
    "Calibration": "threshold levels percentile per-layer correction",
    "Exit": "target-timesteps target-ms certify certify-risk certify-bound score precision",
    "Training": "minutes epochs objective labels quantised-share leak spike-penalty held-out learning-rate mirror "
    "precision recompute",
    "Policy head": "reads reward price beta right gradient epochs",
    "Exploring": "explore minutes prefer",
    "Run": "batch-size batch device backend threads singles rounds seed report figures json debug help",
}
"""Group -> its options, in the order in which they are listed; an option that is in none is listed last, and one of two
groups in that of which the command has more."""


class GroupedCommand(click.Command):
    """A command that shows tracebacks on request and whose help lists its options in groups."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.params.append(debug_option)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; numbers of one option with blanks between them are told to need commas."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            joined = self._joined_numbers(given)
            if joined:
                problem = error.message.removesuffix(".")
                words = f"{problem}; numbers of one option need commas, no blanks: {joined}"
                raise click.UsageError(words, error.ctx) from error
            raise

    def _joined_numbers(self, given: Sequence[str]) -> str | None:
        """Return the first option of several numbers that has blanks between them, as it is meant."""
        names = {name for param in self.params if isinstance(param.type, Parsed) for name in param.opts}
        for place, word in enumerate(given):
            numbers = [number.strip(",") for number in itertools.takewhile(_is_number, given[place + 1 :])]
            if word in names and len(numbers) > 1:
                return f"{word} {','.join(numbers)}"
        return None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each group that has any."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = {long_name(option): option.get_help_record(ctx) for option in options}
        for title, names in _grouped(list(records)).items():
            shown = [record for name in names if (record := records[name]) is not None]
            if shown:
                with formatter.section(title):
                    formatter.write_dl(shown)


def long_name(option: click.Option) -> str:
    """Return the name of an option without its dashes, the first long one where there are several."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")


def _grouped(options: Sequence[str]) -> dict[str, list[str]]:
    """Return the group of each of the options of a command, each option once."""
    groups = {title: [name for name in names.split() if name in options] for title, names in GROUPS.items()}
    best = {name: max(groups, key=lambda title: (name in groups[title]) * len(groups[title])) for name in options}
    known = {name for names in groups.values() for name in names}
    found = {title: [name for name in names if best[name] == title] for title, names in groups.items()}
    return {**found, "Other": [name for name in options if name not in known]}


def _is_number(word: str) -> bool:
    return word.strip(",").replace(".", "", 1).isdecimal()
