"""The largest part of each layer's error stands out, and only that; older reports lack some columns."""

from fake_reports import fake_report, typed

from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.measure.rate_error import PARTS
from seenn_convert.report.layers import activity_table, error_table


def layers(amount: int = 4) -> tuple[LayerRow, ...]:
    evaluation = typed(fake_report(layers=amount)).evaluation
    assert evaluation is not None
    return evaluation.layers


def test_the_largest_part_of_each_layer_is_marked_even_if_it_exceeds_the_whole() -> None:
    row = LayerRow(name="a", rate_error=0.1, input_error=0.02,
                   error_parts={"startup": 0.31, "upstream": 0.3, "clipping": 0.05, "quantisation": 0.0})  # fmt: skip
    (cells,) = error_table([row]).rows
    assert [cell.strong for cell in cells] == [False, False, True, False, False, False, False, False]
    assert [cells[2].words, cells[6].words, cells[7].words] == ["31.0\u00a0%", "–", "2.0\u00a0%"]


def test_every_part_has_a_column_and_every_number_is_explained_in_text() -> None:
    for found in (error_table(layers()), activity_table(layers())):
        assert all(len(row) == len(found.columns) for row in found.rows)
        unexplained = [column.heading for column in found.columns if not column.meaning]
        assert unexplained in (["Layer"], ["Layer", "Neurons"])
    headings = [column.heading for column in error_table(layers()).columns]
    assert headings[2:7] == [part.capitalize() for part in PARTS]


def test_bars_are_scaled_to_the_largest_of_their_column() -> None:
    shares = [row[1].share for row in error_table(layers()).rows]
    assert max(share for share in shares if share is not None) == 1.0
    assert shares == sorted(share for share in shares if share is not None)


def test_dead_and_saturated_channels_stand_out() -> None:
    row = LayerRow(name="a", channels=16, dead_channels=1, saturated_channels=0)
    (cells,) = activity_table([row]).rows
    assert [(cell.words, cell.strong) for cell in cells[5:7]] == [("1 of 16", True), ("0 of 16", False)]


def test_the_layers_of_an_older_report_are_shown_without_what_they_lack() -> None:
    row = LayerRow(name="a", neurons=3, v_threshold=(0.5, 0.5, 0.5))
    assert [cell.words for cell in error_table([row]).rows[0]] == ["a", *["–"] * 7]
    assert activity_table([row]).rows[0][-1].words == "0.500"
