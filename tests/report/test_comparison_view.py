"""The view takes the numbers of a comparison to the places of its page."""

import pytest
from fake_reports import fake_comparison, typed_comparison

from seenn_convert.report.comparison_view import comparison_view


def test_what_is_lost_against_the_ann_and_against_the_full_run_are_two_tables() -> None:
    comparison = fake_comparison()
    comparison["ways"][2]["points"][4] |= {"points_lost": 1.25, "points_lost_to_full_run": 0.25}
    view = comparison_view(typed_comparison(comparison))
    for found, lost in ((view.lost, "1.25"), (view.lost_to_full_run, "0.25")):
        row = next(row for row in found.rows if row[0].words == "confidence")
        cell = row[[column.heading for column in found.columns].index("at 5")]
        assert cell.words == lost and cell.note.startswith("± ")
    tiles = {tile.name: tile for tile in view.tiles}
    # 50 * (exp(-0.6 * 7) - exp(-0.6 * 8)) = 0.34 points are lost at timestep 7, 0.95 at 6
    assert tiles["Timesteps by confidence"].value == "7.00"
    assert "below all timesteps" in tiles["Timesteps by confidence"].note


def test_the_own_score_is_drawn_strong_and_those_really_run_as_diamonds() -> None:
    view = comparison_view(typed_comparison(fake_comparison(head=True)))
    kinds = {series.label: series.kind for series in view.time.series}

    assert kinds["confidence"] == "early" and kinds["entropy"] == "other"
    assert kinds["planned"] == "planned" and kinds["planned + confidence"] == "joint"
    run = next(series for series in view.time.series if series.label == "really run")
    assert run.marker == "diamond" and run.points[0].x == 1.4
    assert [row[0].words for row in view.measured.rows] == ["confidence"]


def test_every_strategy_costs_what_its_points_say() -> None:
    view = comparison_view(typed_comparison(fake_comparison()))
    operations = next(series for series in view.operations.series if series.label == "confidence")
    assert [point.x for point in operations.points] == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])
    assert [plot.name for plot in view.plots] == ["timesteps", "operations", "time", "reliability"]


def test_bins_with_few_images_are_not_drawn() -> None:
    view = comparison_view(typed_comparison(fake_comparison()))
    assert view.reliability is not None and view.reliability_at == 2
    assert [len(series.points) for series in view.reliability.series] == [2, 5, 5]


def test_scores_are_compared_at_a_few_timesteps() -> None:
    view = comparison_view(typed_comparison(fake_comparison(timesteps=100)))
    assert [column.heading for column in view.auroc.columns][-1] == "t = 64"
    assert view.auroc.rows[1][1].words == "–"
