"""What the page of a comparison shows: plots, tables, facts and sentences, taken out of the typed comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from seenn_convert.artifact.schema import comparison as schema
from seenn_convert.artifact.schema.comparison import Comparison, ReliabilityRow, Strategy
from seenn_convert.measure.curves import at_average, average_within
from seenn_convert.report.numbers import MISSING, number, percent, significant
from seenn_convert.report.parts import Cell, Column, Fact, Row, Table, Tile, table
from seenn_convert.report.plots.comparison import curves_plot, reliability_plot
from seenn_convert.report.plots.plot import Plot, Point, Series
from seenn_convert.report.report_view import environment_facts

SHOWN = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 48, 64)
"""Timesteps, and averages of timesteps, that tables have columns for."""

ALLOWED = 0.5
"""Points below the full run that the headline speaks of."""

LEAST_IN_A_BIN = 10
"""Images that a bin of the reliability diagram must hold to be drawn."""

TO_FULL_RUN = "points_lost_to_full_run"
KINDS = {"global": "reference", "planned": "planned", "planned+confidence": "joint"}


@dataclass(frozen=True)
class ComparisonView:
    """The page of a comparison; parts that it lacks are None."""

    name: str
    warnings: tuple[str, ...]
    tiles: tuple[Tile, ...]
    timesteps: Plot
    lost: Table
    lost_to_full_run: Table
    operations: Plot
    time: Plot
    measured: Table
    auroc: Table
    reliability: Plot | None
    reliability_at: int | None
    reliable: Table
    provenance: tuple[Fact, ...]

    @property
    def plots(self) -> tuple[Plot, ...]:
        """The plots, in reading order."""
        found = (self.timesteps, self.operations, self.time, self.reliability)
        return tuple(plot for plot in found if plot is not None)


def comparison_view(comparison: Comparison) -> ComparisonView:
    """Return what the page of ``comparison`` shows."""
    fixed = next((way.points for way in comparison.ways if way.name == "fixed"), ())
    rows = comparison.reliability
    row = rows[max(0, len(rows) // 4 - 1)] if rows else None  # early, when it matters most
    return ComparisonView(
        name=comparison.model or MISSING,
        warnings=tuple(caution.text for caution in comparison.warnings),
        tiles=_tiles(comparison),
        timesteps=_plot(comparison, "timesteps", fixed),
        lost=_lost(comparison, "Points lost against the ANN", "points_lost"),
        lost_to_full_run=_lost(comparison, "Points lost against the full run", TO_FULL_RUN),
        operations=_plot(comparison, "operations", fixed),
        time=_plot(comparison, "time", fixed),
        measured=_measured(comparison),
        auroc=_auroc(comparison),
        reliability=None if row is None else _reliability_plot(row),
        reliability_at=None if row is None else row.t,
        reliable=_reliable(comparison.reliability),
        provenance=_provenance(comparison),
    )


def _tiles(comparison: Comparison) -> tuple[Tile, ...]:
    close = f"on average, at most {ALLOWED} points below all timesteps"
    return (
        Tile("ANN accuracy", percent(comparison.ann_accuracy), "the model before conversion"),
        Tile("All timesteps", percent(comparison.accuracy_at[-1]), f"after {comparison.timesteps} timesteps"),
        *(
            Tile(f"Timesteps by {way.label}", _within(way), close)
            for name in (comparison.score, "global")
            for way in _named(comparison, name)
        ),
        Tile("Ideal", number(comparison.ideal.average_timesteps, 2), "leaving at the first right answer"),
    )


def _named(comparison: Comparison, name: str) -> tuple[Strategy, ...]:
    return tuple(way for way in comparison.ways if way.name == name)


def _within(way: Strategy, key: str = TO_FULL_RUN) -> str:
    return number(average_within(way.points, ALLOWED, key), 2)


_AXES = {
    "timesteps": ("average_timesteps", 1.0, "Average timesteps per image", "{x:.2f} timesteps, {y:.1f} %"),
    "operations": ("synaptic_operations", 1e-6, "Synaptic operations per image, millions", "{x:.3g} M, {y:.1f} %"),
    "time": ("milliseconds", 1.0, "Milliseconds per image", "{x:.3g} ms, {y:.1f} %"),
}


def _plot(comparison: Comparison, name: str, fixed: Sequence[schema.Point]) -> Plot:
    key, scale, axis, words = _AXES[name]

    def points(given: Sequence[schema.Point]) -> tuple[Point, ...]:
        return tuple(sorted(Point(scale * getattr(p, key), 100 * p.accuracy) for p in given))

    def curve(way: Strategy) -> Series:
        kind, own = KINDS.get(way.name, "other"), way.name == comparison.score
        bars = [(scale * getattr(p, key), 100 * p.interval95[0], 100 * p.interval95[1]) for p in way.points[::4]]
        direct = "" if kind == "other" and not own else way.label
        return Series(way.label, "early" if own else kind, points(way.points), words, line=True, direct=direct,
                      intervals=tuple(bars) if own else ())  # fmt: skip

    name_of_fixed = "all images stop at t"
    marks = [
        Series(name_of_fixed, "fixed", points(fixed), words, marker="circle", direct=name_of_fixed),
        Series("ideal", "fixed", points([comparison.ideal]), words, marker="circle", direct="ideal"),
    ]
    if name == "time":
        marks = [Series("really run", "early", _really_run(comparison), words, marker="diamond", direct="really run")]
    curves = [curve(way) for way in comparison.ways if way.name != "fixed"]
    return curves_plot(name, axis, curves, 100 * comparison.ann_accuracy, [mark for mark in marks if mark.points])


def _really_run(comparison: Comparison) -> tuple[Point, ...]:
    """Return measured milliseconds and accuracy in percent of the settings that were really run."""
    found = []
    for row in comparison.measured:
        for way in _named(comparison, row.way):
            accuracy = at_average(way.points, row.average_timesteps, "accuracy")
            found += [] if accuracy is None else [Point(row.milliseconds, 100 * accuracy)]
    return tuple(found)


def _lost(comparison: Comparison, name: str, key: str) -> Table:
    averages = [average for average in SHOWN if 1 < average < comparison.timesteps]
    columns = [
        Column("Strategy", numeric=False),
        *(Column(f"at {average}") for average in averages),
        Column("Within half a point"),
    ]
    rows: list[Row] = [
        [way.label, *(_lost_at(way, average, key) for average in averages), _within(way, key)]
        for way in comparison.ways
    ]
    return table(name, columns, rows)


def _lost_at(way: Strategy, average: float, key: str) -> Cell:
    lost = at_average(way.points, average, key)
    if lost is None:
        return Cell(MISSING)
    near = min(way.points, key=lambda point: abs(point.average_timesteps - average))
    low, high = getattr(near, f"{key}_interval95")
    return Cell(number(lost, 2), f"± {(high - low) / 2:.2f}")


def _measured(comparison: Comparison) -> Table:
    columns = [Column("Strategy", numeric=False), Column("Average timesteps"), Column("Measured"), Column("Computed")]
    rows = [
        [way.label, number(row.average_timesteps, 2), number(row.milliseconds, 3, "\u00a0ms"),
         number(row.milliseconds_computed, 3, "\u00a0ms")]
        for row in comparison.measured
        for way in _named(comparison, row.way)
    ]  # fmt: skip
    return table("Measured times", columns, rows)


def _auroc(comparison: Comparison) -> Table:
    shown = [t for t in SHOWN if t <= comparison.timesteps]
    columns = [Column("Score", numeric=False), *(Column(f"t = {t}") for t in shown)]
    rows = [[name, *(significant(values[t - 1]) for t in shown)] for name, values in comparison.auroc.items()]
    return table("AUROC", columns, rows)


def _reliability_plot(row: ReliabilityRow) -> Plot:
    before, after = (
        [Point(100 * one.confidence, 100 * one.accuracy) for one in bins if one.images >= LEAST_IN_A_BIN]
        for bins in (row.bins_before, row.bins_after)
    )
    return reliability_plot(before, after)


def _reliable(rows: Sequence[ReliabilityRow]) -> Table:
    columns = [
        Column("Timestep"),
        Column("Right"),
        Column("Confidence before", "Mean confidence without the temperature."),
        Column("Confidence after", "Mean confidence with the temperature."),
        Column("Error before", "Mean distance between confidence and accuracy in 15 bins, without the temperature."),
        Column("Error after", "The same with the temperature."),
        Column("Temperature"),
    ]
    cells = [
        [number(row.t), *map(percent, (row.accuracy, row.confidence_before, row.confidence_after, row.error_before,
                                       row.error_after)), significant(row.temperature)]
        for row in rows
    ]  # fmt: skip
    return table("Reliability", columns, cells, long=True)


def _provenance(comparison: Comparison) -> tuple[Fact, ...]:
    chosen, ideal = comparison.calibration_data, comparison.ideal
    split = f"{number(chosen.fitting_images)} to fit, {number(chosen.held_out_images)} to choose"
    labelled = "labelled" if chosen.labelled else "without labels"
    return (
        Fact("Calibration data", f"{chosen.name}, {number(chosen.images)} images ({split}), {labelled}"),
        Fact("Data", f"{comparison.data.name}, {number(comparison.data.images)} images"),
        Fact("Exit time suggested by the accuracies alone", number(ideal.exit_time_of_accuracies, 2)),
        Fact("Right at some timestep", percent(ideal.accuracy)),
        *environment_facts(comparison.environment),
    )
