"""Labels in a plot look for a free place themselves, so that it can be read without its legend."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seenn_convert.report.plots.axes import BOTTOM, LEFT, TOP, WIDTH
from seenn_convert.report.plots.plot import MOST_MARKERS, Plot, Series

CHARACTER_WIDTH, LINE_HEIGHT = 7.6, 16.0
DISTANCES = (9, 20, 34, 50, 70, 95, 125)
DIRECTIONS = ((1, 1), (1, -1), (-1, -1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0))
FAR = 18
RADII = {"circle": 4, "diamond": 8}

Pixel = tuple[float, float]


class Label(NamedTuple):
    """A text in pixels, centred on ``x``, and the line that leads to it from afar."""

    text: str
    kind: str
    x: float
    y: float
    leader: tuple[float, float, float, float] | None = None


class Box(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Return the area that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


def placed_labels(plot: Plot) -> list[list[Label]]:
    """Return the labels of each series; the topmost choose first."""
    taken = [Box(0, 0, len(plot.y_label) * CHARACTER_WIDTH, 18)]
    taken += [box for series in plot.series for box in _boxes(plot, series)]
    found = [[*_tags(plot, series, taken), *_direct(plot, series, taken)] for series in reversed(plot.series)]
    return found[::-1]


def _boxes(plot: Plot, series: Series) -> Iterable[Box]:
    """Yield what a series covers."""
    for (x1, y1), (x2, y2) in itertools.pairwise(plot.path(series)):
        pieces = round(math.hypot(x2 - x1, y2 - y1) / 5) + 1
        for i in range(pieces):
            yield _around(x1 + (x2 - x1) * i / pieces, y1 + (y2 - y1) * i / pieces, 2)
    for mark in plot.marks(series):
        if series.marker == "bar":
            yield Box(mark.x - plot.half_bar, mark.y, mark.x + plot.half_bar, BOTTOM)
        elif mark.drawn:
            yield _around(mark.x, mark.y, RADII[series.marker])


def _tags(plot: Plot, series: Series, taken: list[Box]) -> Iterable[Label]:
    """Yield the tags for which there is room above their bars."""
    for number, text in series.tags:
        x, y = plot.x.at(series.points[number].x), plot.y.at(series.points[number].y) - 5
        half = len(text) * CHARACTER_WIDTH / 2 - 1
        box = Box(x - half, y - LINE_HEIGHT + 5, x + half, y + 2)
        if not any(box.overlap(other) for other in taken):
            taken.append(box)
            yield Label(text, "value", x, y)


def _direct(plot: Plot, series: Series, taken: list[Box]) -> Iterable[Label]:
    """Yield the label of a series near one of its points, where it covers least."""
    anchors = _anchors(plot, series)
    if not series.direct or not anchors:
        return
    width = len(series.direct) * CHARACTER_WIDTH
    best, least = (*anchors[0], Box(0, 0, width, LINE_HEIGHT)), math.inf
    for candidate in _candidates(anchors, width):
        covered = sum(candidate[2].overlap(other) for other in taken)
        if covered < least:
            best, least = candidate, covered
        if covered == 0:  # the nearest come first
            break
    x, y, box = best
    taken.append(box)
    end_x, end_y = min(max(x, box.left), box.right), min(max(y, box.top + 2), box.bottom - 1)
    leader = (x, y, end_x, end_y) if math.hypot(end_x - x, end_y - y) > FAR else None
    yield Label(series.direct, f"direct {series.kind}", (box.left + box.right) / 2, box.bottom - 4, leader)


def _anchors(plot: Plot, series: Series) -> list[Pixel]:
    """Return where a label may belong: at a point, or anywhere on a straight line, the right end first."""
    path = plot.path(series)
    if len(path) == 2:
        (x1, y1), (x2, y2) = path
        along = ((x1 + (x2 - x1) * i / 20, y1 + (y2 - y1) * i / 20) for i in range(19, 0, -1))
        return [(x, y) for x, y in along if y <= BOTTOM]
    return [(plot.x.at(x), plot.y.at(y)) for x, y in series.points if y >= plot.y.low]


def _candidates(anchors: Sequence[Pixel], width: float) -> Iterable[tuple[float, float, Box]]:
    """Yield anchor and box of every place in the picture where a label may stand, the nearest to an anchor first."""
    few = anchors[:: math.ceil(len(anchors) / MOST_MARKERS)]
    for distance, (x, y), (right, down) in itertools.product(DISTANCES, few, DIRECTIONS):
        left = x + right * distance * 0.8 - (1 - right) * width / 2
        top = y + down * distance * 0.8 - (1 - down) * LINE_HEIGHT / 2
        box = Box(left, top, left + width, top + LINE_HEIGHT)
        if left >= LEFT and box.right <= WIDTH and top >= TOP - 18 and box.bottom <= BOTTOM - 2:
            yield x, y, box


def _around(x: float, y: float, radius: float) -> Box:
    return Box(x - radius, y - radius, x + radius, y + radius)
