"""Plots with several lines are well-formed and cut off what lies far below."""

from xml.etree import ElementTree

from seenn_convert.report.svg import Point
from seenn_convert.report.svg_curves import Curve, curves_plot, reliability_plot


def texts(plot: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(plot).iter("text")]


def test_lines_and_marks_are_labelled_and_thin_lines_are_not() -> None:
    line = [Point(1, 70), Point(2, 88), Point(4, 90)]
    plot = curves_plot(
        [Curve("mine", line, "early"), Curve("plain", line, "reference"), Curve("others", line, "other")],
        "Average timesteps", 91.0, [Curve("fixed", line, "fixed"), Curve("run", line[1:], "early")],
        intervals=[(2, 86, 90), (1, 60, 80)],
    )  # fmt: skip

    assert {"mine", "plain", "fixed", "run", "ANN 91.0 %"} <= set(texts(plot))
    assert "others" not in texts(plot)
    assert plot.count('class="interval"') == 1  # the other one lies below what is shown
    assert plot.count("<circle") == 2
    assert "fixed: 2.00: 88.0 %" in plot


def test_a_plot_without_points_is_a_plot() -> None:
    ElementTree.fromstring(curves_plot([], "Average timesteps"))
    ElementTree.fromstring(reliability_plot([], []))


def test_reliability_is_drawn_for_both() -> None:
    plot = reliability_plot([Point(50, 30), Point(90, 60)], [Point(50, 50), Point(90, 90)])
    assert {"as it was", "with its temperature"} <= set(texts(plot))
