"""A comparison judges every way on the data that chose nothing, and its page shows it."""

import json
from pathlib import Path
from typing import Any

import pytest
import small_artifacts as small

from seenn_convert.errors import InputError
from seenn_convert.report import compare as comparing
from seenn_convert.report.compare import budgets, compare
from seenn_convert.report.html_compare import render_comparison
from seenn_convert.report.write import check_comparison, write_comparison
from seenn_convert.tuning.ways import WAYS


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "TIMED_IMAGES", 16)
        return compare(small.artifact(), small.dataset(80, 3), small.dataset(90, 4), batch_size=40)


def test_every_way_is_there_and_ends_at_the_full_run(found: dict[str, Any]) -> None:
    assert [way["name"] for way in found["ways"]] == [way.name for way in WAYS]
    for way in found["ways"]:
        last = way["points"][-1]
        assert last["average_timesteps"] == 8
        assert last["accuracy"] == found["accuracy_at"][-1]
        assert (last["points_lost"], last["points_lost_interval95"]) == (0, [0, 0])
        costs = [(point["synaptic_operations"], point["milliseconds"]) for point in way["points"]]
        assert costs[0] < costs[-1]
        assert all(point["interval95"][0] <= point["accuracy"] <= point["interval95"][1] for point in way["points"])


def test_no_way_is_better_than_the_ideal(found: dict[str, Any]) -> None:
    best = max(point["accuracy"] for way in found["ways"] for point in way["points"])
    assert found["ideal"]["accuracy"] >= best
    assert 1 <= found["ideal"]["average_timesteps"] <= 8


def test_times_are_stem_and_timesteps(found: dict[str, Any]) -> None:
    prices = found["prices"]
    assert found["ways"][0]["points"][2]["milliseconds"] == pytest.approx(prices["stem"] + 3 * prices["step"])
    assert 1 <= len(found["measured"]) <= 3


def test_what_is_said_about_scores(found: dict[str, Any]) -> None:
    assert all(len(values) == 8 for values in found["auroc"].values())
    assert [row["t"] for row in found["reliability"]] == list(range(1, 9))
    assert all(sum(b[0] for b in row["bins_after"]) == 80 for row in found["reliability"])


def test_data_that_calibrated_is_warned_about() -> None:
    same = small.dataset(20, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "TIMED_IMAGES", 4)
        assert "calibration images" in compare(small.artifact(), same, same)["warnings"][0]


def test_data_without_labels_cannot_judge() -> None:
    with pytest.raises(InputError, match="has no labels"):
        compare(small.artifact(), small.dataset(20, 6, labelled=False), small.dataset(20, 7))


def test_budgets_reach_from_one_to_the_last_timestep_and_stay_few() -> None:
    assert budgets(1) == (1.0,)
    assert (budgets(4)[0], budgets(4)[1], budgets(4)[-1]) == (1.0, 1.25, 4.0)
    assert len(budgets(500)) == 65 and budgets(500)[-1] == pytest.approx(500)


def test_the_page_and_the_numbers_are_written(found: dict[str, Any], tmp_path: Path) -> None:
    page = write_comparison(tmp_path, found)
    text = page.read_text()

    assert json.loads((tmp_path / "comparison.json").read_text()) == json.loads(json.dumps(found))
    assert text.startswith("<!DOCTYPE html>")
    for words in ("Accuracy against average timesteps", "Points lost", "AUROC", "patience", "one temperature, one"):
        assert words in text
    assert "<script" not in text and "http://" not in text


def test_a_page_of_nothing_says_so_and_foreign_names_are_escaped() -> None:
    assert "Not measured" in render_comparison({})
    assert "<b>x" not in render_comparison({"model": "<b>x", "ways": [{"name": "a", "label": "<b>x"}]})


def test_a_folder_that_is_not_there_is_said_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        check_comparison(tmp_path / "none")
