"""Plots with several lines cut off what lies far below, and hold what matters on top."""

from seenn_convert.report.plots.comparison import curves_plot, reliability_plot
from seenn_convert.report.plots.plot import Point, Series

LINE = (Point(1, 70), Point(2, 88), Point(4, 90))


def test_lines_and_marks_are_drawn_and_what_is_far_below_is_cut_off() -> None:
    mine = Series("mine", "early", LINE, line=True, direct="mine", intervals=((2, 86, 90), (1, 60, 70)))
    others = Series("others", "other", LINE, line=True)
    fixed = Series("fixed", "fixed", LINE, marker="circle", direct="fixed")
    plot = curves_plot("timesteps", "Average timesteps", [mine, others], 91.0, [fixed])

    assert [series.label for series in plot.series] == ["ANN", "others", "mine", "fixed"]
    assert [mark.words for mark in plot.marks(fixed)] == [
        "fixed: 2.00 timesteps, 88.0 %",
        "fixed: 4.00 timesteps, 90.0 %",
    ]
    assert len(plot.bars(mine)) == 1  # the other one lies below what is shown
    assert plot.x.low == 0 and plot.x.high >= 4


def test_plots_without_points_have_axes() -> None:
    for plot in (curves_plot("a", "Average timesteps", []), reliability_plot([], [])):
        assert len(plot.x.ticks) > 1 and len(plot.y.ticks) > 1


def test_reliability_is_drawn_for_both() -> None:
    plot = reliability_plot([Point(50, 30), Point(90, 60)], [Point(50, 50), Point(90, 90)])
    assert [series.label for series in plot.series] == [
        "confidence = accuracy", "without temperature", "with temperature"
    ]  # fmt: skip
    assert plot.marks(plot.series[1])[0].words == "without temperature: 50 % confident, 30 % right"
