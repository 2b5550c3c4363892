"""The costs of early exit hold the stem and the policy head, and stand beside those of the ANN."""

from fake_reports import fake_report, typed

from seenn_convert.report.costs import cost_table


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
