"""The tables of a report hold its numbers where a reader looks for them."""

import pytest
from fake_reports import fake_report, small_report, typed

from seenn_convert.report.tables import cost_table, exit_table, operator_table, pass_table


def test_the_stem_and_the_policy_head_are_paid_once() -> None:
    report = fake_report()
    report["evaluation"]["operations"]["policy_macs"] = 560_000
    evaluation = typed(report).evaluation
    assert evaluation is not None
    rows = {row[0].words: [(cell.words, cell.note) for cell in row[1:]] for row in cost_table(evaluation).rows}

    assert rows["Multiply-accumulates"] == [("41.0\u00a0M", ""), ("440\u00a0k", ""), ("1.00\u00a0M", "")]
    assert rows["Operations together"][2] == ("67.0\u00a0M", "1.6 × ANN")
    assert rows["Time"] == [("1.10\u00a0ms", ""), ("30.20\u00a0ms", "27 × ANN"), ("9.90\u00a0ms", "9.0 × ANN")]
    assert rows["Energy, estimated"][2][1] == "0.33 × ANN"


def test_what_graded_values_multiply_is_not_counted_as_additions() -> None:
    """60 M operations behind the stem of 440 k, 15 M of them multiplications; together they stay what they were."""
    report = fake_report()
    operations = report["evaluation"]["operations"]
    operations |= {
        "stem_macs": 440_000,
        "synaptic_operations": {"all_timesteps": 60e6, "early_exit": 20e6},
        "graded_operations": {"all_timesteps": 15e6, "early_exit": 5e6},
    }
    evaluation = typed(report).evaluation
    assert evaluation is not None
    rows = {row[0].words: [cell.words for cell in row[2:]] for row in cost_table(evaluation).rows}

    assert rows["Multiply-accumulates"] == ["15.4\u00a0M", "5.44\u00a0M"]
    assert rows["Accumulates caused by spikes"] == ["45.0\u00a0M", "15.0\u00a0M"]
    assert rows["Operations together"] == ["60.4\u00a0M", "20.4\u00a0M"]


def test_the_exits_add_up() -> None:
    report = fake_report(timesteps=4)
    report["evaluation"]["early_exit"]["exit_counts"] = {"1": 50, "2": 40, "4": 10}
    rows = [[cell.words for cell in row] for row in exit_table(typed(report)).rows]
    assert [row[1] for row in rows] == [f"{share}\u00a0%" for share in ("50.0", "40.0", "0.0", "10.0")]
    assert [row[2] for row in rows] == [f"{share}\u00a0%" for share in ("50.0", "90.0", "90.0", "100.0")]
    assert rows[0][4] == "4.60"


def test_operators_say_what_drives_them() -> None:
    conversion = typed(small_report()).conversion
    assert conversion is not None
    rows = operator_table(conversion).rows
    assert [row[2].words for row in rows] == ["stem", "spiking", "temporal-difference"]
    assert [row[3].words for row in rows] == ["2,359,296", "0", "0"]


@pytest.mark.parametrize("declined", [[], [["bn3", "used elsewhere"]]])
def test_passes_say_what_they_declined(declined: list[list[str]]) -> None:
    report = small_report()
    report["conversion"]["passes"] = [{"name": "FoldBatchNorm", "changed": 2, "declined": declined}]
    conversion = typed(report).conversion
    assert conversion is not None
    assert pass_table(conversion).rows[0][2].items == tuple(map(tuple, declined))
