"""The settings that were tried, as tables."""

from collections.abc import Sequence

from seenn_convert.artifact.schema.exploration import Exploration, Trial
from seenn_convert.measure.frontier import drop_interval
from seenn_convert.report.narrative.exploration import DEVICES
from seenn_convert.report.numbers import energy, number, percent, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, table

MEASURES = (
    Column(
        "Accuracy",
        "Share right at the exits, with its 95\u00a0% interval; without labels, as the ANN.",
    ),
    Column("Points lost", "Expected to be lost against the ANN, with its 95\u00a0% interval."),
    Column("Timesteps", "Per image, on average."),
    Column("Time", "Per image, measured on the machine of the conversion."),
    Column("Energy", "Per image, estimated from operation counts of a few held-out images."),
)


def frontier_table(exploration: Exploration) -> Table:
    """Return the settings that no other one beats, with what each is good for."""
    columns = [Column("Setting", numeric=False), *MEASURES, Column("Good for", numeric=False)]
    rows: list[Row] = [
        [*_cells(exploration, trial), Cell("", items=_reasons(exploration, trial))] for trial in exploration.frontier
    ]
    return table("Settings that no other one beats", columns, rows)


def other_settings_table(exploration: Exploration) -> Table:
    """Return the settings that another one beats, and those that were tried on a few images only."""
    columns = [Column("Setting", numeric=False), *MEASURES, Column("Images")]
    trials = (*exploration.dominated, *exploration.looked_at)
    rows: list[Row] = [[*_cells(exploration, trial), number(trial.images)] for trial in trials]
    return table("Other settings that were tried", columns, rows)


def trial_figures(trial: Trial) -> tuple[str, ...]:
    """Return accuracy, points lost, timesteps, time and energy of a trial, in words."""
    time = trial.milliseconds
    return (
        percent(trial.accuracy),
        number(trial.expected_drop, 2),
        number(trial.average_timesteps, 2),
        f"{significant(time)}\u00a0ms" if time is not None else "–",
        energy(trial.nanojoule),
    )


def _cells(exploration: Exploration, trial: Trial) -> Sequence[Cell]:
    kept, default = trial.options == exploration.kept, trial.options == exploration.default
    note = ", ".join(word for word, holds in (("kept", kept), ("default", default)) if holds)
    low, high = trial.interval95
    figures = [Cell(words, strong=kept) for words in trial_figures(trial)]
    figures[0] = Cell(figures[0].words, f"{100 * low:.1f} to {100 * high:.1f}", kept)
    lost = " to ".join(number(points, 2) for points in drop_interval(trial))
    figures[1] = Cell(figures[1].words, lost if trial.reached else f"{lost}, misses the target", kept)
    return [Cell(trial.options, note), *figures]


def _reasons(exploration: Exploration, trial: Trial) -> tuple[tuple[str, str], ...]:
    return tuple((DEVICES[device], why) for device, why in exploration.good_for.get(trial.options, {}).items())
