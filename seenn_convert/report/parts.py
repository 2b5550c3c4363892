"""What pages are made of besides plots and sentences: small values that the templates lay out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Tile(NamedTuple):
    """A big number of the headline, what it is, and a note below it."""

    name: str
    value: str
    note: str


class Column(NamedTuple):
    """A table column: its heading, a sentence on what it means, and whether it holds numbers."""

    heading: str
    meaning: str = ""
    numeric: bool = True


class Cell(NamedTuple):
    """A table cell.

    Attributes:
        words: What it says.
        note: In small type below.
        strong: Whether it stands out.
        share: Length of the bar behind it, from 0 to 1.
        items: Pairs of a name and a sentence, as a list.
    """

    words: str
    note: str = ""
    strong: bool = False
    share: float | None = None
    items: tuple[tuple[str, str], ...] = ()


Row = Sequence[Cell | str]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row is its heading. A ``long`` one scrolls in a box of its own."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    long: bool = False


def table(name: str, columns: Sequence[Column], rows: Sequence[Row], long: bool = False) -> Table:
    """Return a table; text becomes a plain cell."""
    cells = tuple(tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in row) for row in rows)
    return Table(name, tuple(columns), cells, long)
