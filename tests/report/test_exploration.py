"""The tables of an exploration name the setting kept, and show every setting once."""

from fake_reports import fake_report, typed
from trials import exploration, trial

from seenn_convert.artifact.schema.report import Report
from seenn_convert.report.exploration import frontier_table, other_settings_table
from seenn_convert.report.render import report_page


def with_exploration() -> Report:
    return typed({**(report := fake_report()), "conversion": {**report["conversion"], "exploration": exploration()}})


def test_every_setting_is_in_one_table() -> None:
    found = exploration()
    best, others = frontier_table(found), other_settings_table(found)
    assert [row[0].words for row in best.rows] == ["--neuron multilevel -T 4", "--neuron signed -T 16"]
    assert [row[0].note for row in best.rows] == ["kept", "default"]
    assert [row[0].words for row in others.rows] == ["--neuron if -T 32", "--neuron if -T 64"]
    assert best.rows[1][2].note == "0.50 to 1.68, misses the target"  # 0.7 less 1.96 x 0.1, and Wilson for 400
    assert [name for name, _ in best.rows[0][-1].items] == ["GPU", "CPU"]


def test_a_time_that_was_not_measured_is_a_dash() -> None:
    row = other_settings_table(exploration(dominated=(trial(milliseconds=None),))).rows[0]
    assert row[4].words == "–"


def test_the_page_shows_the_settings() -> None:
    page = report_page(with_exploration())
    assert 'id="settings"' in page and 'id="plot-settings"' in page
    assert "every spike is 1 or -1" in page and "it would take about 90 s, and 20 s were left" in page
    assert 'id="settings"' not in report_page(typed(fake_report()))
