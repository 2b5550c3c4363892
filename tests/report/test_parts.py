"""A table is made of cells, whatever it is given."""

from seenn_convert.report.parts import Cell, Column, table


def test_text_becomes_a_plain_cell() -> None:
    found = table("t", [Column("a"), Column("b")], [["x", Cell("y", strong=True)]])
    assert found.rows == ((Cell("x"), Cell("y", strong=True)),)
