"""The conversion part of a report: it survives its JSON, and an older one says less."""

import small_artifacts as small

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.conversion import Conversion, GradedSkips


def test_it_survives_its_json() -> None:
    found = small.artifact().report.conversion
    assert from_plain(to_plain(found), Conversion) == found


def test_an_older_conversion_says_less() -> None:
    older = to_plain(small.artifact().report.conversion)
    for key in ("threshold_choice", "weights", "graded_skips", "certificate"):
        older.pop(key)
    older["exit"].pop("step_time")
    older["exit"]["held_out"].pop("exit_counts")
    read = from_plain(older, Conversion)
    assert read.graded_skips == GradedSkips() and read.exit.held_out.exit_counts is None
