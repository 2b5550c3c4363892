"""A plot as a value: axes, series of points, and what each point says."""

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from seenn_convert.report.plots.axes import Axis

MOST_MARKERS = 32


class Point(NamedTuple):
    """A point in the units of the axes; accuracies are in percent."""

    x: float
    y: float


class Mark(NamedTuple):
    """A point in pixels, what it says, and whether it is drawn or only answers when asked."""

    x: float
    y: float
    words: str
    drawn: bool


@dataclass(frozen=True)
class Series:
    """Points that belong together and are shown or hidden together.

    Attributes:
        label: Its name, in the legend and before what a point says.
        kind: What it is drawn as, a class of the style sheet: ``early`` for what matters, ``fixed``, ``reference``
            (dashed), ``ann``, ``planned`` and ``joint`` (dotted), ``other`` (thin), ``bar``.
        points: In the order of the line.
        words: What a point says, a format of ``x`` and ``y``.
        line: Whether a line joins the points.
        marker: What stands at each point.
        direct: Label in the plot; none if empty.
        intervals: ``(x, low, high)`` of bars, such as 95 % intervals.
        tags: Number of a bar -> what stands above it if there is room.
    """

    label: str
    kind: str
    points: tuple[Point, ...]
    words: str = "{x:.2f} timesteps, {y:.1f} %"
    line: bool = False
    marker: Literal["", "circle", "diamond", "bar"] = ""
    direct: str = ""
    intervals: tuple[tuple[float, float, float], ...] = ()
    tags: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        name: Of the file that it is written to.
        spoken: The text alternative.
        x: The level axis.
        y: The upright axis; what lies below it is cut off.
        x_label: What the level axis shows.
        y_label: What the upright axis shows.
        series: In drawing order, the last on top.
    """

    name: str
    spoken: str
    x: Axis
    y: Axis
    x_label: str
    y_label: str
    series: tuple[Series, ...] = field(default=())

    def path(self, series: Series) -> list[tuple[float, float]]:
        """Return the line of a series in pixels; parts of it may lie outside the axes."""
        return [(self.x.at(x), self.y.at(y)) for x, y in series.points] if series.line else []

    def marks(self, series: Series) -> list[Mark]:
        """Return the points of a series within the axes; of more circles than fit side by side some are not drawn."""
        shown = [point for point in series.points if point.y >= self.y.low and series.label]
        every = math.ceil(len(shown) / MOST_MARKERS) if series.marker == "circle" else 1
        marks: dict[str, Mark] = {}
        for number, (x, y) in enumerate(shown):
            words = f"{series.label}: {series.words.format(x=x, y=y)}"
            marks.setdefault(
                words, Mark(self.x.at(x), self.y.at(y), words, bool(series.marker) and number % every == 0)
            )
        return list(marks.values())

    def bars(self, series: Series) -> list[tuple[float, float, float]]:
        """Return x, top and bottom in pixels of the intervals that reach into the axes."""
        return [
            (self.x.at(x), self.y.at(min(high, self.y.high)), self.y.at(max(low, self.y.low)))
            for x, low, high in series.intervals
            if high > self.y.low
        ]

    @property
    def half_bar(self) -> float:
        """Half the width of a histogram's bar in pixels."""
        return self.x.at(0.4) - self.x.at(0.0)


def ann_line(accuracy: float, right: float, kind: str = "reference", name: str = "ANN") -> Series:
    """Return the accuracy of the ANN, or of what takes its place, as a level line."""
    points = (Point(0.0, accuracy), Point(right, accuracy))
    return Series(name, kind, points, "{y:.1f} %", line=True, direct=f"{name} {accuracy:.1f} %")
