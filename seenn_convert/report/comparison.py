"""What the page of a comparison shows besides its plots: the big numbers and the tables."""

from seenn_convert.artifact.schema.comparison import Comparison, Strategy
from seenn_convert.measure.curves import at_average, average_within
from seenn_convert.report.numbers import MISSING, number, percent, significant
from seenn_convert.report.parts import Cell, Column, Row, Table, Tile, table

SHOWN = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
"""Timesteps, and averages of timesteps, that tables have columns for."""

ALLOWED = 0.5
"""Points that the headline and the last column of the tables speak of."""

TO_FULL_RUN = "points_lost_to_full_run"


def comparison_tiles(comparison: Comparison) -> tuple[Tile, ...]:
    """Return the big numbers at the top."""
    ann = Tile("ANN accuracy", percent(comparison.ann_accuracy), "the model before conversion")
    close = f"on average, at most {ALLOWED} points below all timesteps"
    ways = {way.name: way for way in comparison.ways}
    shown = [ways[name] for name in (comparison.score, "global") if name in ways]
    return (
        *([ann] if comparison.reference == "ann" else []),
        Tile("All timesteps", percent(comparison.accuracy_at[-1]), f"after {comparison.timesteps} timesteps"),
        *(Tile(f"Timesteps by {way.label}", _within(way, TO_FULL_RUN), close) for way in shown),
        Tile("Ideal", number(comparison.ideal.average_timesteps, 2), "leaving at the first right answer"),
    )


def lost_table(comparison: Comparison, full_run: bool = False) -> Table:
    """Return the points of accuracy lost at some averages, against the ANN or against the full run."""
    key, reference = (TO_FULL_RUN, "full run") if full_run else ("points_lost", "ANN")
    averages = [average for average in SHOWN if 1 < average < comparison.timesteps]
    headings = [Column("Strategy", numeric=False), *(Column(f"at {average}") for average in averages)]
    rows: list[Row] = [
        [way.label, *(_lost_at(way, average, key) for average in averages), _within(way, key)]
        for way in comparison.ways
    ]
    return table(f"Points lost against the {reference}", [*headings, Column("Within half a point")], rows)


def time_table(comparison: Comparison) -> Table:
    """Return measured and computed times of the settings that were really run."""
    columns = [Column("Strategy", numeric=False), Column("Average timesteps"), Column("Measured"), Column("Computed")]
    labels = {way.name: way.label for way in comparison.ways}
    rows = [
        [labels.get(row.way, row.way), number(row.average_timesteps, 2), number(row.milliseconds, 3, "\u00a0ms"),
         number(row.milliseconds_computed, 3, "\u00a0ms")]
        for row in comparison.measured
    ]  # fmt: skip
    return table("Measured times", columns, rows)


def auroc_table(comparison: Comparison) -> Table:
    """Return how well each score tells right from wrong answers, at some timesteps."""
    shown = [t for t in SHOWN if t <= comparison.timesteps]
    columns = [Column("Score", numeric=False), *(Column(f"t = {t}") for t in shown)]
    rows = [[name, *(significant(values[t - 1]) for t in shown)] for name, values in comparison.auroc.items()]
    return table("AUROC", columns, rows)


def reliability_table(comparison: Comparison) -> Table:
    """Return accuracy and confidence at each timestep, before and after its temperature."""
    columns = [
        Column("Timestep"),
        Column("Right"),
        Column("Confidence before", "Mean confidence without the temperature."),
        Column("Confidence after", "Mean confidence with the temperature."),
        Column("Error before", "Mean distance between confidence and accuracy in 15 bins, without the temperature."),
        Column("Error after", "The same with the temperature."),
        Column("Temperature"),
    ]
    rows = [
        [number(row.t), *map(percent, (row.accuracy, row.confidence_before, row.confidence_after, row.error_before,
                                       row.error_after)), significant(row.temperature)]
        for row in comparison.reliability
    ]  # fmt: skip
    return table("Reliability", columns, rows, long=True)


def _within(way: Strategy, key: str) -> str:
    return number(average_within(way.points, ALLOWED, key), 2)


def _lost_at(way: Strategy, average: float, key: str) -> Cell:
    lost = at_average(way.points, average, key)
    if lost is None:
        return Cell(MISSING)
    near = min(way.points, key=lambda point: abs(point.average_timesteps - average))
    low, high = getattr(near, f"{key}_interval95")
    return Cell(number(lost, 2), f"± {(high - low) / 2:.2f}")
