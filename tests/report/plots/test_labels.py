"""Labels stand apart, at every length of run and level of accuracy."""

import itertools
import math

import pytest

from seenn_convert.report.plots.axes import HEIGHT, WIDTH
from seenn_convert.report.plots.evaluation import Result, accuracy_plot, exit_plot, temperature_plot, trade_off_plot
from seenn_convert.report.plots.labels import Box, Label, placed_labels
from seenn_convert.report.plots.plot import Plot, Point


def saturating(timesteps: int, level: float) -> list[Point]:
    """Return a curve that rises to ``level`` percent as spiking accuracies do."""
    return [Point(t, level * (1 - 0.9 * math.exp(-0.5 * t))) for t in range(1, timesteps + 1)]


def all_labels(plot: Plot) -> list[Label]:
    """Return the labels of a plot, all of which lie in the picture."""
    found = [label for labels in placed_labels(plot) for label in labels]
    assert all(0 <= label.x <= WIDTH and 0 <= label.y <= HEIGHT for label in found)
    return found


def box(label: Label) -> Box:
    """Return the place of a label, for letters 7 pixels wide."""
    half = 3.5 * len(label.text)
    return Box(label.x - half, label.y - 11, label.x + half, label.y + 3)


def assert_apart(labels: list[Label]) -> None:
    """Check that no two labels overlap."""
    for a, b in itertools.combinations(labels, 2):
        assert box(a).overlap(box(b)) == 0, (a.text, b.text)


@pytest.mark.parametrize("level", [0.0, 3.0, 50.0, 88.0, 100.0])
@pytest.mark.parametrize("timesteps", [1, 2, 16, 64, 300])
def test_labels_stand_apart(timesteps: int, level: float) -> None:
    curve = saturating(timesteps, level)
    result = Result(level, Point(1 + (timesteps - 1) / 4, level * 0.99), (level * 0.98, level))
    for plot in (
        accuracy_plot(curve, timesteps, result),
        trade_off_plot(curve, curve, timesteps, result),
        temperature_plot([Point(t, 5 / t) for t, _ in curve]),
    ):
        labels = all_labels(plot)
        assert_apart(labels)
        shown = [series for series in plot.series if any(p.y >= plot.y.low for p in series.points)]
        assert {series.direct for series in shown} - {""} == {label.text for label in labels}


@pytest.mark.parametrize("shares", [[100.0], [0.0] * 63 + [100.0], [25.0] * 4, [100 / 16] * 16, [0.1] * 30 + [97.0]])
def test_tags_stand_above_their_bars_and_apart(shares: list[float]) -> None:
    labels = all_labels(exit_plot(shares))
    assert labels
    assert_apart(labels)


def test_a_label_far_from_its_point_is_led_to_it() -> None:
    crowd = [Point(1 + i / 17, 50 + i % 7) for i in range(100)]
    labels = all_labels(trade_off_plot(crowd, [], 8, Result(52.0, Point(3.0, 53.0), (52.0, 54.0))))
    leaders = [label.leader for label in labels if label.leader is not None]
    assert leaders and all(math.dist(leader[:2], leader[2:]) > 18 for leader in leaders)
