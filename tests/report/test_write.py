"""The two files of a report are written both or neither, and a folder that cannot take them is named before the work."""

import json
import os
from pathlib import Path

import pytest
import small_artifacts as small

from seenn_convert.artifact.files import check_writable
from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.report import Report
from seenn_convert.errors import InputError
from seenn_convert.report.write import REPORT_FILES, write_report


def test_both_files_are_written(tmp_path: Path) -> None:
    check_writable(tmp_path, REPORT_FILES)
    assert os.listdir(tmp_path) == []
    assert write_report(tmp_path, small.artifact(), None) == tmp_path / "report.html"
    assert sorted(os.listdir(tmp_path)) == ["report.html", "report.json"]
    written = from_plain(json.loads((tmp_path / "report.json").read_text()), Report)
    assert written.conversion == small.artifact().report.conversion


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_a_folder_in_the_place_of_one_is_said_and_none_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match=f"{name} is a folder"):
        check_writable(tmp_path, REPORT_FILES)
    with pytest.raises(InputError, match=f"{name} is a folder"):
        write_report(tmp_path, small.artifact(), None)
    assert os.listdir(tmp_path) == [name]


def test_a_place_that_cannot_be_written_is_one_sentence() -> None:
    with pytest.raises(InputError, match="/proc cannot be written"):
        check_writable(Path("/proc"), REPORT_FILES)
    with pytest.raises(InputError, match="/proc cannot be written"):
        write_report(Path("/proc"), small.artifact(), None)
