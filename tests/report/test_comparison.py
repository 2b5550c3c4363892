"""The tables of a comparison say what is lost, and against what."""

from fake_reports import fake_comparison, typed_comparison

from seenn_convert.report.comparison import auroc_table, comparison_tiles, lost_table, reliability_table, time_table


def test_what_is_lost_against_the_ann_and_against_the_full_run_are_two_tables() -> None:
    comparison = fake_comparison()
    comparison["ways"][2]["points"][4] |= {"points_lost": 1.25, "points_lost_to_full_run": 0.25}
    known = typed_comparison(comparison)
    for found, lost in ((lost_table(known), "1.25"), (lost_table(known, full_run=True), "0.25")):
        row = next(row for row in found.rows if row[0].words == "confidence")
        cell = row[[column.heading for column in found.columns].index("at 5")]
        assert cell.words == lost and cell.note.startswith("± ")


def test_the_headline_shows_the_own_score_before_the_global_threshold() -> None:
    tiles = comparison_tiles(typed_comparison(fake_comparison()))
    assert [tile.name for tile in tiles][2:4] == [
        "Timesteps by confidence", "Timesteps by one temperature, one threshold"
    ]  # fmt: skip
    # 50 * (exp(-0.6 * 7) - exp(-0.6 * 8)) = 0.34 points are lost at timestep 7, 0.95 at 6
    assert tiles[2].value == "7.00" and "below all timesteps" in tiles[2].note


def test_scores_are_compared_at_a_few_timesteps() -> None:
    found = auroc_table(typed_comparison(fake_comparison(timesteps=100)))
    assert [column.heading for column in found.columns][-1] == "t = 64"
    assert found.rows[1][1].words == "–"


def test_times_and_reliability_have_a_row_each() -> None:
    known = typed_comparison(fake_comparison())
    assert [[cell.words for cell in row] for row in time_table(known).rows] == [
        ["confidence", "2.50", "1.400\u00a0ms", "1.350\u00a0ms"]
    ]
    assert [row[0].words for row in reliability_table(known).rows] == [str(t) for t in range(1, 9)]
