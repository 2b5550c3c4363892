"""Plots are well-formed pictures whose labels stand apart, at every length of run and level of accuracy."""

import itertools
import math
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest

from seenn_convert.report.svg import (
    HEIGHT,
    WIDTH,
    ExitPoint,
    Point,
    accuracy_plot,
    exit_plot,
    nice_ticks,
    temperature_plot,
    timestep_ticks,
    trade_off_plot,
)

Box = tuple[float, float, float, float]
TICK = {"tick", "tick y"}


def read(plot: str) -> ElementTree.Element:
    """Parse a plot and check that everything in it lies in the picture."""
    root = ElementTree.fromstring(plot)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 0)) <= WIDTH
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(name, 0)) <= HEIGHT
    return root


def texts(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    """Return the texts whose class starts with ``kind``."""
    return [element for element in root.iter("text") if (element.get("class") or "").startswith(kind)]


def box(element: ElementTree.Element) -> Box:
    """Return left, top, right and bottom of a centred text, for letters 7 pixels wide."""
    x, y, half = float(element.get("x", 0)), float(element.get("y", 0)), 3.5 * len(element.text or "")
    return x - half, y - 11, x + half, y + 3


def apart(a: Box, b: Box) -> bool:
    """Say whether two boxes do not touch."""
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


def assert_apart(elements: Sequence[ElementTree.Element]) -> None:
    """Check that no two texts overlap."""
    for a, b in itertools.combinations(elements, 2):
        assert apart(box(a), box(b)), (a.text, b.text)


def saturating(timesteps: int, level: float) -> list[Point]:
    """Return a curve that rises to ``level`` percent as spiking accuracies do."""
    return [Point(t, level * (1 - 0.9 * math.exp(-0.5 * t))) for t in range(1, timesteps + 1)]


@pytest.mark.parametrize("level", [0.0, 3.0, 50.0, 88.0, 100.0])
@pytest.mark.parametrize("timesteps", [1, 2, 16, 64, 300])
def test_labels_stand_apart(timesteps: int, level: float) -> None:
    curve = saturating(timesteps, level)
    early = ExitPoint(1 + (timesteps - 1) / 4, level * 0.99, (level * 0.98, level))
    for plot in (
        accuracy_plot(curve, timesteps, level, early),
        trade_off_plot(curve, curve, timesteps, level, early),
        temperature_plot([Point(t, 5 / t) for t, _ in curve]),
    ):
        root = read(plot)
        assert_apart(texts(root, "direct"))
        assert_apart([text for text in root.iter("text") if text.get("class") == "tick"])


@pytest.mark.parametrize(
    "plot",
    [accuracy_plot([], 4, None, None), trade_off_plot([], [], 4, None, None), exit_plot([]), temperature_plot([])],
)
def test_a_plot_of_nothing_has_axes_all_the_same(plot: str) -> None:
    assert texts(read(plot), "tick")


def test_the_curve_rises_from_left_to_right_and_bottom_to_top() -> None:
    circles = [c for c in read(accuracy_plot(saturating(8, 90.0), 8, 90.0, None)).iter("circle")]
    x, y = ([float(c.get(name, 0)) for c in circles] for name in ("cx", "cy"))

    assert x == sorted(x)
    assert y == sorted(y, reverse=True)
    assert len(circles) == 8


def test_marks_show_their_numbers_on_hover() -> None:
    plot = accuracy_plot([Point(1, 40.0), Point(2, 80.0)], 2, 85.0, ExitPoint(1.5, 79.96, (78.0, 81.0)))
    titles = [title.text for title in read(plot).iter("title")]

    assert titles == [
        "1 timesteps: 40.0 %",
        "2 timesteps: 80.0 %",
        "early exit: 80.0 % after 1.50 timesteps on average",
    ]
    assert "ANN 85.0 %" in plot


def test_the_trade_off_is_about_the_surroundings_of_the_chosen_point() -> None:
    """Points more than 15 below the chosen one may go, those nearer stay."""
    plot = trade_off_plot(saturating(16, 90.0), [Point(1, 10.0), Point(4, 80.0), Point(16, 90.0)], 16, 90.0,
                          ExitPoint(4.0, 89.0))  # fmt: skip
    titles = [title.text or "" for title in read(plot).iter("title")]

    assert not any("10.0 %" in title for title in titles)
    assert sum("80.0 %" in title or "90.0 %" in title for title in titles) == 2


@pytest.mark.parametrize("shares", [[100.0], [0.0] * 63 + [100.0], [25.0] * 4, [100 / 16] * 16, [0.1] * 30 + [97.0]])
def test_a_bar_for_every_exit_step(shares: list[float]) -> None:
    root = read(exit_plot(shares))
    bars = list(root.iter("rect"))
    heights = [float(bar.get("height", 0)) for bar in bars]

    assert len(bars) == len(shares)
    assert all((height > 0) == (share > 0) for height, share in zip(heights, shares, strict=True))
    assert_apart(texts(root, "value"))
    assert texts(root, "value")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 100), (37, 88.04), (99.9, 100), (0, 0.001), (3, 3), (0, 4321)])
def test_ticks_are_few_and_hold_the_data(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)

    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= high - 1e-6
    assert 2 <= len(ticks) <= 7
    assert len({round(b - a, 9) for a, b in itertools.pairwise(ticks)}) == 1


@pytest.mark.parametrize(("timesteps", "last"), [(1, 1), (2, 2), (7, 7), (16, 16), (64, 64), (100, 100), (512, 512)])
def test_timestep_ticks_are_whole_and_end_on_the_last_where_they_can(timesteps: int, last: int) -> None:
    ticks = timestep_ticks(timesteps)

    assert ticks[0] == 0
    assert ticks[-1] == last
    assert len(ticks) <= 9
