"""What the commands print about a conversion."""

import sys
from dataclasses import replace

import pytest
import small_artifacts as small
from fake_reports import fake_report, typed

from seenn_convert.artifact.schema.conversion import NeuronFacts
from seenn_convert.artifact.schema.evaluation import ConfidenceFacts, ThreeRuns
from seenn_convert.artifact.schema.front import FrontFacts
from seenn_convert.artifact.schema.report import Report
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.cli.console import conversion_text, evaluation_text, policy_text, progress_bars


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


def test_drawn_images_and_percentages_of_the_front_are_plain_lines() -> None:
    report = small.artifact().report
    drawn = replace(report.conversion.calibration, drawn_from=50_000)
    front = FrontFacts(asked=1, names=("relu",), share=0.069)
    lines = conversion_text(
        replace(report, conversion=replace(report.conversion, calibration=drawn, front=front))
    ).splitlines()

    assert "of 50,000 calibration images drawn" in lines[0] and "layers of" in lines[1]
    assert any(line.startswith("analog front: 1 activation; 6.9% of the") for line in lines)


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


def test_small_energies_and_times_have_units_that_show_them() -> None:
    """A network of some hundred operations takes nanojoules and microseconds."""
    evaluation = typed(fake_report()).evaluation
    tiny = replace(
        evaluation,
        milliseconds_per_image=ThreeRuns(ann=0.0012, all_timesteps=0.0345, early_exit=0.0078),
        energy=replace(
            evaluation.energy, nanojoule_per_image=ThreeRuns(ann=1.234, all_timesteps=0.0456, early_exit=0.0078)
        ),
    )
    rows = evaluation_text(tiny).splitlines()[2:6]

    assert [row.split()[-3:] for row in rows] == [
        ["timesteps", "µs/image", "energy*"], ["1.2", "1.23", "nJ"], ["34.5", "0.0456", "nJ"], ["7.8", "0.00780", "nJ"],
    ]  # fmt: skip


def test_larger_ones_stay_in_milliseconds() -> None:
    evaluation = typed(fake_report()).evaluation
    energy = replace(
        evaluation.energy, nanojoule_per_image=ThreeRuns(ann=58_900, all_timesteps=31_400, early_exit=6_800)
    )
    text = evaluation_text(replace(evaluation, energy=energy))

    assert [row.split()[-3:] for row in text.splitlines()[2:6]] == [
        ["timesteps", "ms/image", "energy*"], ["1.10", "58.9", "µJ"], ["30.20", "31.4", "µJ"], ["9.90", "6.80", "µJ"],
    ]  # fmt: skip


def test_the_confidence_is_a_sentence() -> None:
    sure = ConfidenceFacts(average=0.939, calibration_error=0.021)
    evaluation = typed(fake_report()).evaluation
    early = replace(evaluation.early_exit, accuracy=0.922)
    assert (
        "On average the confidence at the exits is 93.9%, and 92.2% of the answers are right (expected calibration "
        "error 2.1 points)"
    ) in evaluation_text(replace(evaluation, early_exit=early, confidence=sure)).splitlines()
