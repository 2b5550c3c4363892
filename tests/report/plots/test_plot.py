"""Marks say what they stand for; of many circles some are not drawn, but all can be asked."""

from seenn_convert.report.plots.axes import horizontal_axis, vertical_axis
from seenn_convert.report.plots.plot import MOST_MARKERS, Plot, Point, Series


def plot_of(series: Series) -> Plot:
    return Plot("p", "p", horizontal_axis(0, 100, (0, 100)), vertical_axis(10, 20), "x", "y", (series,))


def test_every_point_can_be_asked_though_few_are_drawn() -> None:
    series = Series("s", "fixed", tuple(Point(x, 15) for x in range(100)), "{x:g}", marker="circle")
    marks = plot_of(series).marks(series)

    assert len(marks) == 100
    assert 0 < sum(mark.drawn for mark in marks) <= MOST_MARKERS


def test_points_that_say_the_same_are_one() -> None:
    series = Series("ANN", "ann", (Point(0, 15), Point(100, 15)), "{y:.1f} %", line=True)
    plot = plot_of(series)

    assert [mark.words for mark in plot.marks(series)] == ["ANN: 15.0 %"]
    assert len(plot.path(series)) == 2 and not plot.marks(series)[0].drawn


def test_what_lies_below_the_axes_or_has_no_name_is_not_asked() -> None:
    below = Series("s", "fixed", (Point(1, 3), Point(2, 12)), marker="circle", intervals=((1, 2, 4), (2, 5, 30)))
    nameless = Series("", "fixed", (Point(1, 15),), direct="15")
    plot = plot_of(below)

    assert len(plot.marks(below)) == 1 and plot.marks(nameless) == []
    assert plot.bars(below) == [(plot.x.at(2), plot.y.end, plot.y.start)]
