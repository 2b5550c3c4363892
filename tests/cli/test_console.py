"""What the commands print about a conversion."""

import sys
from dataclasses import replace

import pytest
import small_artifacts as small

from seenn_convert.artifact.schema.conversion import NeuronFacts
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.cli.console import conversion_text, policy_text, progress_bars


@pytest.mark.parametrize(("neuron", "words"), [
    (NeuronFacts(kind="signed", alphabet=(-1, 0, 1)), "signed neurons (spikes: {-1, 0, 1}); spikes drive"),
    (NeuronFacts(kind="if", alphabet=(0, 1), bits_per_spike=1), "if neurons (spikes: {0, 1}, 1 bit each); spikes drive"),
    (NeuronFacts(kind="group", alphabet=tuple(range(-5, 6)), bits_per_spike=4),
     "group neurons (spikes: 11 values from -5 to 5, 4 bits each); spikes drive"),
    (NeuronFacts(kind="tracking"), "tracking neurons (spikes: any whole number);"),
])  # fmt: skip
def test_a_conversion_says_what_a_spike_may_be(neuron: NeuronFacts, words: str) -> None:
    """Reports from before the bits were said show the spikes alone."""
    report = small.artifact().report
    text = conversion_text(replace(report, conversion=replace(report.conversion, neuron=neuron)))

    assert f"2 layers of {words}" in text


def test_every_warning_is_a_line() -> None:
    report = small.artifact().report
    warnings = (Caution("few_held_out", "few images"), Caution("no_labels", "no labels"))
    text = conversion_text(replace(report, conversion=replace(report.conversion, warnings=warnings)))
    assert text.splitlines()[-2:] == ["warning: few images", "warning: no labels"]


def test_notes_on_how_the_model_was_read_are_lines_before_the_warnings() -> None:
    report = small.artifact().report
    text = conversion_text(replace(report, model=replace(report.model, notes=("read in float32",))))
    assert "note: read in float32" in text.splitlines()


def test_a_report_that_knows_nothing_gives_no_text() -> None:
    assert conversion_text(Report()) == policy_text(Report()) == ""


def test_a_closed_standard_error_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons run so, and Python then has no stream."""
    monkeypatch.setattr(sys, "stderr", None)
    with progress_bars() as progress:
        progress("reading", 0, 1)
