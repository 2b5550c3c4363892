"""Plots with several lines cut off what lies far below, and hold what matters on top."""

import pytest
from fake_reports import fake_comparison, typed_comparison

from seenn_convert.report.plots.comparison import comparison_plots, curves_plot, reliability_plot, reliability_timestep
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
    for plot in (curves_plot("a", "Average timesteps", [], 90.0), reliability_plot([], [])):
        assert len(plot.x.ticks) > 1 and len(plot.y.ticks) > 1


def test_reliability_is_drawn_for_both() -> None:
    plot = reliability_plot([Point(50, 30), Point(90, 60)], [Point(50, 50), Point(90, 90)])
    assert [series.label for series in plot.series] == [
        "confidence = accuracy", "without temperature", "with temperature"
    ]  # fmt: skip
    assert plot.marks(plot.series[1])[0].words == "without temperature: 50 % confident, 30 % right"


def test_the_own_score_is_drawn_strong_and_those_really_run_as_diamonds() -> None:
    time = comparison_plots(typed_comparison(fake_comparison(head=True)))["time"]
    kinds = {series.label: series.kind for series in time.series}

    assert kinds["confidence"] == "early" and kinds["entropy"] == "other"
    assert kinds["planned"] == "planned" and kinds["planned + confidence"] == "joint"
    run = next(series for series in time.series if series.label == "really run")
    assert run.marker == "diamond" and run.points[0].x == 1.4


def test_every_strategy_costs_what_its_points_say() -> None:
    plots = comparison_plots(typed_comparison(fake_comparison()))
    own = next(series for series in plots["operations"].series if series.label == "confidence")
    assert [point.x for point in own.points] == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])
    assert len(own.intervals) == 2
    assert list(plots) == ["timesteps", "operations", "time", "reliability"]


def test_bins_with_few_images_are_not_drawn() -> None:
    comparison = typed_comparison(fake_comparison())
    assert [len(series.points) for series in comparison_plots(comparison)["reliability"].series] == [2, 5, 5]
    assert reliability_timestep(comparison) == 2
