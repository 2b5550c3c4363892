"""The plots of an evaluation show its numbers."""

import pytest
from fake_reports import fake_report, typed

from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.plots.evaluation import (
    Result,
    accuracy_plot,
    exit_plot,
    report_plots,
    temperature_plot,
    trade_off_plot,
)
from seenn_convert.report.plots.plot import Plot, Point


def words(plot: Plot) -> list[str]:
    return [mark.words for series in plot.series for mark in plot.marks(series)]


@pytest.mark.parametrize(
    "plot",
    [
        exit_plot([]),
        temperature_plot([]),
    ],
)
def test_a_plot_of_nothing_has_axes_all_the_same(plot: Plot) -> None:
    assert len(plot.x.ticks) > 1 or plot.x.high == 1.5
    assert words(plot) == []


def test_the_curve_rises_from_left_to_right_and_bottom_to_top() -> None:
    plot = accuracy_plot([Point(t, 80 + t) for t in range(1, 9)], 8, Result(90.0, Point(1.5, 85.0), (84.0, 86.0)))
    marks = plot.marks(plot.series[0])

    assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)
    assert [mark.y for mark in marks] == sorted((mark.y for mark in marks), reverse=True)
    assert len(marks) == 8


def test_marks_say_their_numbers() -> None:
    plot = accuracy_plot([Point(1, 40.0), Point(2, 80.0)], 2, Result(85.0, Point(1.5, 79.96), (78.0, 81.0)))

    assert words(plot) == [
        "all images stop at t: t = 1, 40.0 %",
        "all images stop at t: t = 2, 80.0 %",
        "ANN: 85.0 %",
        "early exit: 1.50 timesteps, 80.0 %",
    ]
    assert "ANN 85.0 %" in plot.spoken and "early exit 80.0 % after 1.50 timesteps" in plot.spoken
    assert plot.series[-1].intervals == ((1.5, 78.0, 81.0),)


def test_the_trade_off_is_about_the_surroundings_of_the_chosen_point() -> None:
    """Points more than 15 below the chosen one may go, those nearer stay."""
    fixed = [Point(1, 10.0), Point(4, 80.0), Point(16, 90.0)]
    plot = trade_off_plot([Point(2, 70.0), Point(4, 88.0)], fixed, 16, Result(90.0, Point(4.0, 89.0), (88.0, 90.0)))
    said = words(plot)

    assert not any("10.0 %" in one for one in said)
    assert sum(one.startswith("all images stop at t") for one in said) == 2


@pytest.mark.parametrize("shares", [[100.0], [0.0] * 63 + [100.0], [25.0] * 4, [100 / 16] * 16, [0.1] * 30 + [97.0]])
def test_a_bar_for_every_exit_step(shares: list[float]) -> None:
    plot = exit_plot(shares)
    (bars,) = plot.series
    marks = plot.marks(bars)

    assert len(marks) == len(shares)
    assert all((mark.y < plot.y.start) == (share > 0) for mark, share in zip(marks, shares, strict=True))
    assert bars.tags


def test_temperatures_say_their_ends() -> None:
    plot = temperature_plot([Point(1, 6.21), Point(2, 2.5), Point(3, 1.04)])
    assert [series.direct for series in plot.series] == ["", "6.21", "1.04"]
    assert words(plot)[1] == "temperature: timestep 2, 2.5"


def test_the_plots_of_a_report_come_in_reading_order() -> None:
    assert list(report_plots(typed(fake_report()))) == ["accuracy", "trade-off", "exits", "temperatures"]
    assert report_plots(Report()) == {}
    without_curve = fake_report()
    without_curve["evaluation"]["trade_off"] = []
    assert "trade-off" not in report_plots(typed(without_curve))
