"""Plots with several lines as SVG text: accuracy against a cost, and how honest a confidence is."""

from collections.abc import Sequence
from typing import NamedTuple

from seenn_convert.report.svg import (
    MARGIN_LEFT,
    MARGIN_RIGHT,
    WIDTH,
    Axis,
    Plot,
    Point,
    accuracy_axis,
    nice_ticks,
    vertical_axis,
)


class Curve(NamedTuple):
    """A line of a plot with several: its label, its points, and what it is drawn as.

    ``kind`` is ``early`` for the line that matters, ``fixed``, ``reference`` (dashed), ``planned`` and ``joint``
    (dotted), or ``other`` (thin, no label).
    """

    label: str
    points: Sequence[Point]
    kind: str


def curves_plot(
    curves: Sequence[Curve],
    x_label: str,
    ann: float | None = None,
    marks: Sequence[Curve] = (),
    title: str = "{x:.2f}: {y:.1f} %",
    span: float = 12.0,
    intervals: Sequence[tuple[float, float, float]] = (),
) -> str:
    """Return accuracies over any cost; what is more than ``span`` points below the best is cut off.

    Args:
        curves: Lines, each through its points in rising order.
        x_label: What the cost is.
        ann: Accuracy of the ANN, drawn as a line.
        marks: Points that stand alone: circles, or diamonds where they are ``early``.
        title: What a circle says on hover.
        span: Points of accuracy shown.
        intervals: ``(x, low, high)`` of the 95 % intervals to draw.
    """
    points = [p for curve in (*curves, *marks) for p in curve.points]
    values = [p.y for p in points] + ([] if ann is None else [ann])
    floor = max(values, default=0.0) - span
    y = accuracy_axis([value for value in values if value >= floor])
    ticks = nice_ticks(0.0, max((p.x for p in points), default=1.0), 8)
    plot = Plot(Axis(0.0, ticks[-1], ticks, MARGIN_LEFT, WIDTH - MARGIN_RIGHT), y, x_label, "Accuracy, %")
    if ann is not None:
        plot.line([Point(0.0, ann), Point(ticks[-1], ann)], "ann")
    for curve in sorted(curves, key=lambda curve: curve.kind == "early"):
        plot.line(curve.points, curve.kind)
    for x, low, high in intervals:
        if high > y.low:
            plot.interval(x, low, high)
    for curve in marks:
        shown = [p for p in curve.points if p.y >= y.low]
        if curve.kind != "early":
            plot.circles(shown, f"{curve.label}: {title}")
            continue
        for point in shown:
            plot.diamond(*point, f"{curve.label}: " + title.format(x=point.x, y=point.y))
    for curve in (*marks, *curves):
        if curve.kind != "other":
            plot.label(curve.label, [p for p in curve.points if p.y >= y.low], curve.kind)
    if ann is not None:
        plot.label(f"ANN {ann:.1f} %", [Point(ticks[-1] * i / 20, ann) for i in range(19, 0, -1)], "reference")
    return plot.svg(f"Accuracy against {x_label.lower()}: " + ", ".join(c.label for c in (*curves, *marks)))


def reliability_plot(before: Sequence[Point], after: Sequence[Point]) -> str:
    """Return the share of right answers against their confidence, both in percent, before and after a temperature."""
    axis = Axis(0.0, 100.0, (0, 20, 40, 60, 80, 100), MARGIN_LEFT, WIDTH - MARGIN_RIGHT)
    plot = Plot(axis, vertical_axis(0.0, 100.0), "Confidence, %", "Right, %")
    plot.line([Point(0, 0), Point(100, 100)], "ann")
    for label, points, kind in (("as it was", before, "fixed"), ("with its temperature", after, "early")):
        plot.line(points, kind)
        plot.circles(points, label + ": {x:.0f} % sure, {y:.0f} % right")
        plot.label(label, points, kind)
    return plot.svg("Share of right answers against confidence, before and after the temperature")
