"""The plot of the fronts that were tried, and their table, show the numbers of the report."""

from dataclasses import replace

import small_artifacts as small

from seenn_convert.artifact.schema.front import FrontFacts, FrontTrial
from seenn_convert.report.plots.evaluation import report_plots
from seenn_convert.report.plots.front import front_plot
from seenn_convert.report.render import report_page
from seenn_convert.report.tables import front_table

TRIED = tuple(
    FrontTrial(activations=count, share=share, drop_at=(9.0, last), distance_at=(0.9, 0.3), average_timesteps=1.5,
               expected_drop=0.5, reached=True, nanojoule_per_image=7000.0)
    for count, share, last in ((0, 0.02, 1.0), (2, 0.1, -0.25))
)  # fmt: skip
FRONT = FrontFacts(asked="auto", budget=0.125, names=("relu", "relu_1"), share=0.1, tried=TRIED, images=24)


def test_the_chosen_front_stands_out_and_no_front_is_dashed() -> None:
    plot = front_plot(FRONT)
    assert [(line.label, line.kind) for line in plot.series] == [
        ("no front (2%)", "reference"), ("10% once per image", "early")]  # fmt: skip
    assert [point.y for point in plot.series[1].points] == [9.0, 0.0]  # a gain is drawn as no loss


def test_the_table_marks_the_chosen_front() -> None:
    conversion = replace(small.artifact().report.conversion, front=FRONT)
    rows = [[str(getattr(cell, "words", cell)) for cell in row] for row in front_table(conversion).rows]
    assert rows[1][0] == "2 (chosen)" and rows[0][0] == "0"


def test_the_page_has_them_only_if_something_was_tried() -> None:
    report = small.artifact().report
    assert "front" not in report_plots(report)
    shown = replace(report, conversion=replace(report.conversion, front=FRONT))
    assert "front" in report_plots(shown) and "Analog fronts that were tried" in report_page(shown)
