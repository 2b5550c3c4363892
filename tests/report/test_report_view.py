"""The view takes the numbers of a report to the places of its page."""

import pytest
from fake_reports import certified_report, fake_report, small_report, typed

from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.report_view import report_view


def tiles(report: dict[str, object]) -> dict[str, str]:
    return {tile.name: tile.value for tile in report_view(typed(report)).tiles}


def test_energy_and_time_are_both_headlines() -> None:
    found = tiles(fake_report())
    assert found["Energy"] == "0.33\u00a0×" and found["Time"] == "9.0\u00a0×"
    assert found["ANN accuracy"] == "88.0\u00a0%" and found["Points lost"] == "0.4"


def test_a_gain_is_called_a_gain() -> None:
    report = fake_report()
    report["evaluation"]["early_exit"]["accuracy"] = 0.8904
    assert tiles(report)["Points gained"] == "1.0"


def test_without_labels_agreement_is_not_called_accuracy() -> None:
    report = {**small_report(), "evaluation": None}
    assert tiles(report)["ANN accuracy"] == "91.5\u00a0%"
    report["conversion"]["calibration"]["labelled"] = False
    assert tiles(report)["Agreement with the ANN"] == "91.2\u00a0%" and "ANN accuracy" not in tiles(report)


def test_the_exits_add_up() -> None:
    report = fake_report(timesteps=4)
    report["evaluation"]["early_exit"]["exit_counts"] = {"1": 50, "2": 40, "4": 10}
    measured = report_view(typed(report)).measured
    assert measured is not None
    exits = measured.exits
    assert exits.shares == (0.5, 0.4, 0.0, 0.1) and (exits.half, exits.most) == (1, 2)
    assert [row[2].words for row in exits.table.rows] == [
        f"{share}\u00a0%" for share in ("50.0", "90.0", "90.0", "100.0")
    ]


def test_plots_come_in_reading_order() -> None:
    assert [plot.name for plot in report_view(typed(fake_report())).plots] == [
        "accuracy", "trade-off", "exits", "temperatures",
    ]  # fmt: skip
    assert report_view(Report()).plots == ()


def test_facts_say_how_it_was_converted() -> None:
    conversion = report_view(typed(certified_report())).conversion
    assert conversion is not None
    facts = {fact.term: fact.words for fact in conversion.facts}
    assert facts["Neuron"] == "signed; a spike is {-1, 0, 1}"
    assert facts["Firing thresholds"] == "mse, 8 levels, one per channel"
    assert facts["Target"] == "at most 0.5 points below the ANN"
    assert conversion.treatments == {"stem": 1, "spiking": 1, "temporal-difference": 1}
    assert {fact.term: fact.words for fact in conversion.certificate}["At most (epsilon)"] == "1.00\u00a0%"


def test_provenance_holds_the_hash_as_code() -> None:
    facts = {fact.term: fact for fact in report_view(typed(fake_report())).provenance}
    assert facts["SHA-256"].code and facts["SHA-256"].words.startswith("9f86")
    assert facts["Evaluation data"].words == "test.npz, 5,000 images"


@pytest.mark.parametrize("declined", [[], [["bn3", "used elsewhere"]]])
def test_passes_say_what_they_declined(declined: list[list[str]]) -> None:
    report = small_report()
    report["conversion"]["passes"] = [{"name": "FoldBatchNorm", "changed": 2, "declined": declined}]
    conversion = report_view(typed(report)).conversion
    assert conversion is not None
    assert conversion.passes.rows[0][2].items == tuple(map(tuple, declined))
