"""The plots of a comparison: accuracy against a cost with several curves, and how far a confidence can be trusted."""

from collections.abc import Sequence
from typing import Literal

from seenn_convert.artifact.schema import comparison as schema
from seenn_convert.artifact.schema.comparison import Comparison, Strategy
from seenn_convert.measure.curves import at_average
from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks, vertical_axis
from seenn_convert.report.plots.plot import Plot, Point, Series, ann_line

SPAN = 12.0
"""Points of accuracy below the best that are shown."""

LEAST_IN_A_BIN = 10
"""Images that a bin of the reliability diagram must hold to be drawn."""

AXES = {
    "timesteps": ("average_timesteps", 1.0, "Average timesteps per image", "{x:.2f} timesteps, {y:.1f} %"),
    "operations": ("synaptic_operations", 1e-6, "Synaptic operations per image, millions", "{x:.3g} M, {y:.1f} %"),
    "time": ("milliseconds", 1.0, "Milliseconds per image", "{x:.3g} ms, {y:.1f} %"),
}
"""Name of a plot -> field of a point, its factor, the axis, and what a point says."""

KINDS = {"global": "reference", "planned": "planned", "planned+confidence": "joint"}


def comparison_plots(comparison: Comparison) -> dict[str, Plot]:
    """Return the plots of a comparison by name, in reading order."""
    plots = [_cost_plot(comparison, name) for name in AXES]
    if comparison.reliability:
        row = comparison.reliability[reliability_timestep(comparison) - 1]
        before, after = (
            [Point(100 * one.confidence, 100 * one.accuracy) for one in bins if one.images >= LEAST_IN_A_BIN]
            for bins in (row.bins_before, row.bins_after)
        )
        plots.append(reliability_plot(before, after))
    return {plot.name: plot for plot in plots}


def reliability_timestep(comparison: Comparison) -> int:
    """Return the timestep that the reliability diagram is of: early, where most images leave."""
    return max(1, len(comparison.reliability) // 4)


def curves_plot(
    name: str, x_label: str, curves: Sequence[Series], ann: float, marks: Sequence[Series] = (), ann_name: str = "ANN"
) -> Plot:
    """Return accuracies over any cost: ``curves`` in rising order, ``marks`` that stand alone, ``ann`` in percent."""
    points = [p for series in (*curves, *marks) for p in series.points]
    values = [*(p.y for p in points), ann]
    shown = [value for value in values if value >= max(values) - SPAN]
    ticks = nice_ticks(0.0, max((p.x for p in points), default=1.0), 8)
    x, y = horizontal_axis(0.0, ticks[-1], ticks), accuracy_axis(shown)
    lines = sorted(curves, key=lambda series: series.kind == "early")
    spoken = f"Accuracy against {x_label.lower()}: " + ", ".join(series.label for series in (*curves, *marks))
    series = (ann_line(ann, ticks[-1], "ann", ann_name), *lines, *marks)
    return Plot(name, spoken, x, y, x_label, "Accuracy, %", series)


def reliability_plot(before: Sequence[Point], after: Sequence[Point]) -> Plot:
    """Return the share of right answers against their confidence, both in percent, before and after a temperature."""
    honest = Series("confidence = accuracy", "ann", (Point(0, 0), Point(100, 100)), "{x:.0f} %", line=True)
    drawn = [
        Series(label, kind, tuple(points), "{x:.0f} % confident, {y:.0f} % right", True, "circle", label)
        for label, points, kind in (("without temperature", before, "fixed"), ("with temperature", after, "early"))
    ]
    x, y = horizontal_axis(0.0, 100.0, range(0, 101, 20)), vertical_axis(0.0, 100.0)
    spoken = "Share of right answers against confidence, before and after the temperature"
    return Plot("reliability", spoken, x, y, "Confidence, %", "Right, %", (honest, *drawn))


def _cost_plot(comparison: Comparison, name: str) -> Plot:
    key, scale, axis, words = AXES[name]

    def points(given: Sequence[schema.Point]) -> tuple[Point, ...]:
        return tuple(sorted(Point(scale * getattr(p, key), 100 * p.accuracy) for p in given))

    def curve(way: Strategy) -> Series:
        if way.name != comparison.score:
            kind = KINDS.get(way.name, "other")
            return Series(way.label, kind, points(way.points), words, True, "", "" if kind == "other" else way.label)
        low_high = [(100 * low, 100 * high) for low, high in (p.interval95 for p in way.points)]
        bars = tuple((scale * getattr(p, key), *bar) for p, bar in zip(way.points, low_high, strict=True))
        return Series(way.label, "early", points(way.points), words, True, "", way.label, bars[::4])

    def mark(label: str, kind: str, marker: Literal["circle", "diamond"], given: Sequence[Point]) -> list[Series]:
        return [Series(label, kind, tuple(given), words, marker=marker, direct=label)] if given else []

    if name == "time":
        marks = mark("really run", "early", "diamond", _really_run(comparison))
    else:
        fixed = [point for way in comparison.ways if way.name == "fixed" for point in way.points]
        marks = mark("all images stop at t", "fixed", "circle", points(fixed))
        marks += mark("ideal", "fixed", "circle", points([comparison.ideal]))
    curves = [curve(way) for way in comparison.ways if way.name != "fixed"]
    reference = "ANN" if comparison.reference == "ann" else "all timesteps"
    return curves_plot(name, axis, curves, 100 * comparison.ann_accuracy, marks, reference)


def _really_run(comparison: Comparison) -> list[Point]:
    """Return measured milliseconds and accuracy in percent of the settings that were really run."""
    ways = {way.name: way.points for way in comparison.ways}
    found = [(row.milliseconds, at_average(ways.get(row.way, ()), row.average_timesteps, "accuracy"))
             for row in comparison.measured]  # fmt: skip
    return [Point(x, 100 * accuracy) for x, accuracy in found if accuracy is not None]
