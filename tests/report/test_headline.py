"""The big numbers say what is good and what is bad."""

from typing import Any

from fake_reports import fake_report, small_report, typed

from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.headline import tiles


def shown(report: dict[str, Any]) -> dict[str, str]:
    return {tile.name: tile.value for tile in tiles(typed(report))}


def test_energy_and_time_are_both_headlines() -> None:
    found = shown(fake_report())
    assert found["Energy"] == "0.33\u00a0×" and found["Time"] == "9.0\u00a0×"
    assert found["ANN accuracy"] == "88.0\u00a0%" and found["Points lost"] == "0.4"


def test_a_gain_is_called_a_gain() -> None:
    report = fake_report()
    report["evaluation"]["early_exit"]["accuracy"] = 0.8904
    assert shown(report)["Points gained"] == "1.0"


def test_without_labels_agreement_is_not_called_accuracy() -> None:
    report = {**small_report(), "evaluation": None}
    assert shown(report)["ANN accuracy"] == "91.5\u00a0%"
    report["conversion"]["calibration"]["labelled"] = False
    assert shown(report)["Agreement with the ANN"] == "91.2\u00a0%" and "ANN accuracy" not in shown(report)


def test_nothing_is_shown_of_nothing() -> None:
    assert tiles(Report()) == ()
