"""Plots of the report as SVG text; colours and fonts come from the page's style sheet.

Each plot is an image with a text alternative; marks show their numbers on hover (``<title>``). Labels stand in the plot
and look for a free place themselves, so that no legend is needed.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 460, 300
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 44, 16, 34, 44
CHARACTER_WIDTH, LINE_HEIGHT = 7.6, 16.0
MOST_MARKERS = 32
MOST_BAR_LABELS = 20
LABEL_DISTANCES = (9, 20, 34, 50, 70, 95, 125)
LABEL_DIRECTIONS = ((1, 1), (1, -1), (-1, -1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0))


class Point(NamedTuple):
    """A point in the units of the axes; accuracies are in percent throughout this module."""

    x: float
    y: float


@dataclass(frozen=True)
class ExitPoint:
    """What early exit came to: average timesteps, accuracy, and the 95 % interval of the accuracy."""

    average_timesteps: float
    accuracy: float
    interval: tuple[float, float] | None = None


def accuracy_plot(accuracy_at: Sequence[Point], timesteps: int, ann: float | None, early: ExitPoint | None) -> str:
    """Return accuracy over timesteps, with the ANN as a line and early exit as a point."""
    values = [p.y for p in accuracy_at] + ([] if ann is None else [ann]) + ([] if early is None else [early.accuracy])
    plot = Plot(_timestep_axis(timesteps), accuracy_axis(values), "Timesteps", "Accuracy, %")
    plot.line(accuracy_at, "fixed")
    plot.circles(accuracy_at, "{x:g} timesteps: {y:.1f} %")
    _mark_results(plot, ann, early, "early exit")
    plot.label("all images stop at t", accuracy_at, "fixed")
    return plot.svg("Accuracy over timesteps" + _spoken(ann, early))


def trade_off_plot(
    curve: Sequence[Point], fixed: Sequence[Point], timesteps: int, ann: float | None, early: ExitPoint | None
) -> str:
    """Return accuracy against average timesteps: early exit at every threshold, and all images stopping at one t.

    Points far below the chosen one are cut off: the plot is about what is worth choosing between.
    """
    values = [p.y for p in (*curve, *fixed)] + ([] if ann is None else [ann])
    values += [] if early is None else [early.accuracy]
    floor = (early.accuracy if early is not None else max(values, default=0.0)) - 15
    y = accuracy_axis([value for value in values if value >= floor])
    plot = Plot(_timestep_axis(timesteps), y, "Average timesteps per image", "Accuracy, %")
    plot.line(curve, "early")
    shown = [p for p in fixed if p.y >= y.low]
    plot.circles(shown, "all images stop at {x:g}: {y:.1f} %")
    _mark_results(plot, ann, early, "chosen")
    plot.label("early exit, any threshold", [p for p in curve if p.y >= y.low], "early")
    plot.label("all images stop at t", shown, "fixed")
    return plot.svg("Accuracy against average timesteps" + _spoken(ann, early))


def exit_plot(shares: Sequence[float]) -> str:
    """Return a bar for each exit step, the first for timestep 1; ``shares`` are percent of all images."""
    x = Axis(0.5, max(len(shares), 1) + 0.5, _exit_ticks(len(shares)), MARGIN_LEFT, WIDTH - MARGIN_RIGHT)
    plot = Plot(x, vertical_axis(0.0, max([*shares, 1.0])), "Exit step", "Images, %")
    for step, share in enumerate(shares, 1):
        plot.bar(step, share, f"timestep {step}: {share:.1f} % of the images")
    most = max(range(len(shares)), key=lambda t: shares[t], default=0)
    wide = len(shares) <= MOST_BAR_LABELS
    for step in [most + 1, len(shares), *(range(1, len(shares)) if wide else ())] if shares else ():
        if shares[step - 1] >= 0.5:
            plot.label_bar(step, shares[step - 1], f"{shares[step - 1]:.{0 if wide else 1}f}")
    spoken = f"; most leave at timestep {most + 1}, {shares[most]:.1f} %" if any(shares) else ""
    return plot.svg(f"Share of the images that leave at each timestep{spoken}")


def temperature_plot(temperatures: Sequence[Point]) -> str:
    """Return the softmax temperature at each timestep."""
    timesteps = max((round(p.x) for p in temperatures), default=1)
    y = vertical_axis(0.0, max([p.y for p in temperatures], default=1.0))
    plot = Plot(_timestep_axis(timesteps), y, "Timestep", "Temperature")
    plot.line(temperatures, "fixed")
    plot.circles(temperatures, "timestep {x:g}: {y:.3g}")
    for end in dict.fromkeys([*temperatures[:1], *temperatures[-1:]]):
        plot.label(f"{end.y:.3g}", [end], "fixed")
    return plot.svg("Softmax temperature at each timestep")


def nice_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Return at most ``most`` + 1 round numbers whose first is <= ``low`` and whose last is >= ``high``."""
    span = max(high - low, 1e-9)
    power = math.floor(math.log10(span / most))
    steps = (factor * 10.0**exponent for exponent in (power, power + 1) for factor in (1, 2, 5))
    for step in steps:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= most:
            return tuple(round(i * step, 10) for i in range(first, max(last, first + 1) + 1))
    return (low, low + span)


def timestep_ticks(timesteps: int, most: int = 8) -> tuple[int, ...]:
    """Return whole timesteps from 0 to at most ``timesteps``, ending on it where a round step allows."""
    steps = [f * 10**e for e in range(8) for f in (1, 2, 4, 5, 8, 16, 32, 64)]
    fitting = sorted({step for step in steps if timesteps / step <= most})
    step = next((s for s in fitting if timesteps % s == 0 and s <= 2.5 * fitting[0]), fitting[0])
    return tuple(range(0, timesteps + 1, step))


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` on the pixels from ``start`` to ``end``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of ``value``."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "_Box") -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


@dataclass
class Plot:
    """A plot being drawn: marks go in, labels find their place among what is there when they are asked for."""

    x: Axis
    y: Axis
    x_label: str
    y_label: str
    marks: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    taken: list[_Box] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken.append(_Box(0, 0, len(self.y_label) * CHARACTER_WIDTH, 18))

    def line(self, points: Sequence[Point], kind: str) -> None:
        """Draw a line through ``points``."""
        pixels = [(self.x.at(x), self.y.at(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
        if len(pixels) > 1:
            self.marks.append(f'<svg {_AREA}><polyline class="line {kind}" points="{path}"/></svg>')
        for (x1, y1), (x2, y2) in itertools.pairwise(pixels):
            pieces = round(math.hypot(x2 - x1, y2 - y1) / 5) + 1
            for i in range(pieces):
                self._take(x1 + (x2 - x1) * i / pieces, y1 + (y2 - y1) * i / pieces, 2)

    def circles(self, points: Sequence[Point], title: str) -> None:
        """Mark ``points``; more than fit side by side are thinned out."""
        every = math.ceil(len(points) / MOST_MARKERS) if points else 1
        for x, y in points[::every]:
            px, py, words = self.x.at(x), self.y.at(y), title.format(x=x, y=y)
            self.marks.append(f'<circle class="fixed" cx="{px:.1f}" cy="{py:.1f}" r="3.5">{_title(words)}</circle>')
            self._take(px, py, 4)

    def interval(self, x: float, low: float, high: float) -> None:
        """Draw the bar of an interval."""
        px = self.x.at(x)
        top, bottom = self.y.at(min(high, self.y.high)), self.y.at(max(low, self.y.low))
        path = f"M{px:.1f} {top:.1f}V{bottom:.1f}M{px - 4:.1f} {top:.1f}h8M{px - 4:.1f} {bottom:.1f}h8"
        self.marks.append(f'<path class="interval" d="{path}"/>')

    def diamond(self, x: float, y: float, title: str) -> None:
        """Mark the point that matters."""
        px, py = self.x.at(x), self.y.at(y)
        path = f"M{px:.1f} {py - 8:.1f}l8 8l-8 8l-8 -8z"
        self.marks.append(f'<path class="early" d="{path}">{_title(title)}</path>')
        self._take(px, py, 8)

    def bar(self, x: float, height: float, title: str) -> None:
        """Draw a bar of a histogram."""
        left, right, bottom = self.x.at(x - 0.4), self.x.at(x + 0.4), self.y.start
        top = min(self.y.at(height), bottom - (1 if height > 0 else 0))
        place = f'x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        self.marks.append(f'<rect class="bar" {place}>{_title(title)}</rect>')
        self.taken.append(_Box(left, top, right, bottom))

    def label_bar(self, x: float, height: float, text: str) -> None:
        """Write ``text`` above a bar where there is room for it."""
        px, py = self.x.at(x), self.y.at(height) - 5
        half = len(text) * CHARACTER_WIDTH / 2 - 1
        box = _Box(px - half, py - LINE_HEIGHT + 5, px + half, py + 2)
        if not any(box.overlap(other) for other in self.taken):
            self.taken.append(box)
            self.labels.append(f'<text class="value" x="{px:.1f}" y="{py:.1f}">{escape(text)}</text>')

    def label(self, text: str, anchors: Sequence[Point], kind: str) -> None:
        """Write ``text`` near one of ``anchors``, where it covers least; a thin line leads to it from afar."""
        if not anchors:
            return
        width = len(text) * CHARACTER_WIDTH
        pixels = [(self.x.at(x), self.y.at(y)) for x, y in anchors]
        x, y, box = self._free_place(pixels, width)
        self.taken.append(box)
        end_x, end_y = min(max(x, box.left), box.right), min(max(y, box.top + 2), box.bottom - 1)
        if math.hypot(end_x - x, end_y - y) > 18:
            self.labels.append(f'<line class="leader" x1="{x:.1f}" y1="{y:.1f}" x2="{end_x:.1f}" y2="{end_y:.1f}"/>')
        place = f'x="{(box.left + box.right) / 2:.1f}" y="{box.bottom - 4:.1f}"'
        self.labels.append(f'<text class="direct {kind}" {place}>{escape(text)}</text>')

    def _free_place(self, pixels: Sequence[tuple[float, float]], width: float) -> tuple[float, float, _Box]:
        best, least = (*pixels[0], _Box(0, 0, width, LINE_HEIGHT)), math.inf
        for x, y, box in _candidates(pixels, width):
            covered = sum(box.overlap(other) for other in self.taken)
            if covered < least:
                best, least = (x, y, box), covered
            if covered == 0:  # the nearest come first
                break
        return best

    def svg(self, description: str) -> str:
        """Return the plot as an image with a text alternative."""
        parts = [*self._axes(), *self.marks, *self.labels]
        head = f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}">'
        return head + "".join(parts) + "</svg>"

    def _axes(self) -> Iterable[str]:
        left, right, bottom = MARGIN_LEFT, WIDTH - MARGIN_RIGHT, HEIGHT - MARGIN_BOTTOM
        for tick in self.y.ticks:
            y = self.y.at(tick)
            yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="tick y" x="{left - 8}" y="{y + 4:.1f}">{tick:g}</text>'
        for tick in self.x.ticks:
            x = self.x.at(tick)
            yield f'<line class="grid short" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            yield f'<text class="tick" x="{x:.1f}" y="{bottom + 18}">{tick:g}</text>'
        yield f'<line class="axis" x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
        yield f'<text class="name x" x="{right}" y="{HEIGHT - 6}">{escape(self.x_label)}</text>'
        yield f'<text class="name" x="2" y="14">{escape(self.y_label)}</text>'

    def _take(self, x: float, y: float, radius: float) -> None:
        self.taken.append(_Box(x - radius, y - radius, x + radius, y + radius))


# Lines are drawn in a nested image that cuts off what lies outside the axes.
_AREA = (
    f'x="{MARGIN_LEFT}" y="{MARGIN_TOP - 6}" width="{WIDTH - MARGIN_LEFT}" '
    f'height="{HEIGHT - MARGIN_TOP - MARGIN_BOTTOM + 6}" '
    f'viewBox="{MARGIN_LEFT} {MARGIN_TOP - 6} {WIDTH - MARGIN_LEFT} {HEIGHT - MARGIN_TOP - MARGIN_BOTTOM + 6}"'
)


def _candidates(pixels: Sequence[tuple[float, float]], width: float) -> Iterable[tuple[float, float, _Box]]:
    """Yield anchor and box of every place in the picture where a label may stand, the nearest to an anchor first."""
    anchors = pixels[:: math.ceil(len(pixels) / MOST_MARKERS)]
    for distance, (x, y), (right, down) in itertools.product(LABEL_DISTANCES, anchors, LABEL_DIRECTIONS):
        left = x + right * distance * 0.8 - (1 - right) * width / 2
        top = y + down * distance * 0.8 - (1 - down) * LINE_HEIGHT / 2
        box = _Box(left, top, left + width, top + LINE_HEIGHT)
        inside = left >= MARGIN_LEFT and box.right <= WIDTH and top >= MARGIN_TOP - 18
        if inside and box.bottom <= HEIGHT - MARGIN_BOTTOM - 2:
            yield x, y, box


def _mark_results(plot: Plot, ann: float | None, early: ExitPoint | None, name: str) -> None:
    """Draw the ANN as a dashed line and early exit as a diamond, both labelled."""
    if ann is not None:
        left, right = plot.x.low, plot.x.high
        plot.line([Point(left, ann), Point(right, ann)], "reference")
    if early is not None:
        if early.interval is not None:
            plot.interval(early.average_timesteps, *early.interval)
        words = f"{name}: {early.accuracy:.1f} % after {early.average_timesteps:.2f} timesteps on average"
        plot.diamond(early.average_timesteps, early.accuracy, words)
        plot.label(f"{name} {early.accuracy:.1f} %", [Point(early.average_timesteps, early.accuracy)], "early")
    if ann is not None:
        steps = [left + (right - left) * i / 20 for i in range(19, 0, -1)]
        plot.label(f"ANN {ann:.1f} %", [Point(x, ann) for x in steps], "reference")


def _spoken(ann: float | None, early: ExitPoint | None) -> str:
    parts = [] if ann is None else [f"ANN {ann:.1f} %"]
    if early is not None:
        parts.append(f"early exit {early.accuracy:.1f} % after {early.average_timesteps:.2f} timesteps on average")
    return "; " * bool(parts) + "; ".join(parts)


def _timestep_axis(timesteps: int) -> Axis:
    return Axis(0, max(timesteps, 1), timestep_ticks(max(timesteps, 1)), MARGIN_LEFT, WIDTH - MARGIN_RIGHT)


def _exit_ticks(timesteps: int) -> tuple[int, ...]:
    ticks = timestep_ticks(max(timesteps, 1))[1:]
    return ticks if ticks[0] == 1 else (1, *ticks)


def vertical_axis(low: float, high: float) -> Axis:
    """Return an upright axis from a round number below ``low`` to one above ``high``."""
    ticks = nice_ticks(low, max(high, low + 1e-3))
    return Axis(ticks[0], ticks[-1], ticks, HEIGHT - MARGIN_BOTTOM, MARGIN_TOP)


def accuracy_axis(values: Sequence[float]) -> Axis:
    """Return an axis that holds ``values``, at least 4 points high and within 0 to 100 %."""
    low, high = min(values, default=0.0), max(values, default=100.0)
    middle = min(max((low + high) / 2, 2.0), 98.0)
    return vertical_axis(max(min(low, middle - 2), 0.0), min(max(high, middle + 2), 100.0))


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>"
