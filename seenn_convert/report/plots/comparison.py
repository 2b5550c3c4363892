"""The plots of a comparison: accuracy against a cost with several curves, and how far a confidence can be trusted."""

from collections.abc import Sequence

from seenn_convert.report.plots.axes import accuracy_axis, horizontal_axis, nice_ticks, vertical_axis
from seenn_convert.report.plots.evaluation import ann_line
from seenn_convert.report.plots.plot import Plot, Point, Series

SPAN = 12.0
"""Points of accuracy below the best that are shown."""


def curves_plot(
    name: str, x_label: str, curves: Sequence[Series], ann: float | None = None, marks: Sequence[Series] = ()
) -> Plot:
    """Return accuracies over any cost.

    Args:
        name: Of the file.
        x_label: What the cost is.
        curves: Lines, each through its points in rising order.
        ann: Accuracy of the ANN in percent, drawn as a line.
        marks: Points that stand alone.
    """
    points = [p for series in (*curves, *marks) for p in series.points]
    values = [p.y for p in points] + ([] if ann is None else [ann])
    floor = max(values, default=0.0) - SPAN
    ticks = nice_ticks(0.0, max((p.x for p in points), default=1.0), 8)
    lines = sorted(curves, key=lambda series: series.kind == "early")
    spoken = f"Accuracy against {x_label.lower()}: " + ", ".join(series.label for series in (*curves, *marks))
    return Plot(
        name,
        spoken,
        horizontal_axis(0.0, ticks[-1], ticks),
        accuracy_axis([value for value in values if value >= floor]),
        x_label,
        "Accuracy, %",
        (*([] if ann is None else [ann_line(ann, ticks[-1], "ann")]), *lines, *marks),
    )


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
