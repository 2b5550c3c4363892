"""The settings that were tried, on the console: a table on a terminal, columns in a pipe."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seenn_convert.cli.console import columns_text

if TYPE_CHECKING:
    from seenn_convert.artifact.schema.exploration import Exploration

HEADINGS = ("", "setting", "accuracy", "points lost", "timesteps", "time", "energy", "good for")


def exploration_text(exploration: "Exploration") -> str:
    """Return the frontier as a table, what was kept and why, and what was not tried."""
    from seenn_convert.report.narrative.exploration import kept_words, tried_words
    from seenn_convert.report.numbers import plain, plural

    table = _rich(_rows(exploration)) if sys.stdout.isatty() else columns_text(_rows(exploration))
    lines = [tried_words(exploration), "", table, "", kept_words(exploration)]
    if exploration.dominated:
        beaten = plural(len(exploration.dominated), "more setting was", "more settings were")
        lines.append(f"{beaten} beaten in everything; report.json lists all")
    reasons = dict.fromkeys(exploration.left_out.values())
    alike = [(", ".join(name for name, other in exploration.left_out.items() if other == why), why) for why in reasons]
    lines += [f"not tried: {names}: {why}" for names, why in alike]
    return plain("\n".join(lines))


def _rows(exploration: "Exploration") -> list[tuple[str, ...]]:
    from seenn_convert.report.exploration import trial_figures
    from seenn_convert.report.narrative.exploration import trial_words

    rows: list[tuple[str, ...]] = [HEADINGS]
    for trial in exploration.frontier:
        mark = "*" if trial.options == exploration.kept else ""
        rows.append((mark, trial.options, *trial_figures(trial), trial_words(exploration, trial)))
    return rows


def _rich(rows: Sequence[Sequence[str]]) -> str:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0], box=SIMPLE)
    for row in rows[1:]:
        table.add_row(*row, style="bold" if row[0] else None)
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get().strip("\n")
