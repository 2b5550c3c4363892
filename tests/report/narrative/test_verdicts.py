"""Good and bad news are told, each as what it is; the prose is pinned here."""

from typing import Any

import pytest
from fake_reports import certified_report, fake_report, typed

from seenn_convert.report.narrative.verdicts import Verdict, lost_words, measured_words, shown_words, verdicts


def told(report: dict[str, Any]) -> tuple[Verdict, ...]:
    found = typed(report)
    return verdicts(found.conversion, found.evaluation)


def text(report: dict[str, Any], good: bool) -> str:
    return "\n".join(one.words for one in told(report) if one.good is good).replace("\u00a0", " ")


def test_the_story_says_what_was_measured() -> None:
    report = typed(fake_report())
    assert report.conversion is not None and report.evaluation is not None
    rule = "is above a threshold (0.8 to 0.9912, depending on the timestep)"
    assert f"up to 16 timesteps; it leaves as soon as the network’s confidence {rule}." in shown_words(
        report.conversion
    )
    words = measured_words(report.evaluation).replace("\u00a0", " ")
    assert "87.6 % of the answers were right (95 % interval 86.7 to 88.5 %), 0.4 points below the ANN." in words


def test_energy_saved_and_time_lost_are_told_side_by_side() -> None:
    energy, time = told(fake_report())[-2:]
    assert energy.good and "67\u00a0% less than the ANN, 61.4\u00a0µJ against 189\u00a0µJ per image" in energy.words
    assert not time.good and "9.0 times as long as the ANN, 9.90 against 1.10 ms per image" in time.words


def test_time_saved_is_good_news() -> None:
    report = fake_report()
    report["evaluation"]["milliseconds_per_image"]["early_exit"] = 0.55
    assert told(report)[-1].good and "simulates" not in told(report)[-1].words


def test_bad_news_is_told() -> None:
    report = fake_report()
    report["conversion"]["exit"]["held_out"]["reached"] = False
    evaluation = report["evaluation"]
    evaluation["accuracy_at"]["16"] = 0.83
    evaluation["early_exit"].update(accuracy=0.82, average_timesteps=15.9)
    evaluation["energy"]["nanojoule_per_image"]["early_exit"] = 2 * 188600.0
    bad = text(report, good=False)

    assert "was not reached on the held-out calibration images" in bad
    assert "6.0 points below the ANN: more than the 0.5 points asked for" in bad
    assert "Even after all 16 timesteps the spiking network is 5.0 points below the ANN" in bad
    assert "Hardly any image leaves early" in bad
    assert "takes 2.0 times as much as the ANN" in bad


@pytest.mark.parametrize("holds", [True, False])
def test_a_certificate_is_good_news_if_it_holds(holds: bool) -> None:
    assert "The certificate" in text(certified_report(holds=holds), good=holds)
    assert "The certificate" not in text(certified_report(holds=holds), good=not holds)


@pytest.mark.parametrize(("took", "good"), [(2.75, False), (2.5, True)])
def test_a_time_that_was_asked_for_is_held_against_the_one_measured(took: float, good: bool) -> None:
    report = fake_report()
    report["conversion"]["exit"]["target"] = {"drop": None, "timesteps": None, "milliseconds": 2.5}
    report["evaluation"]["milliseconds_per_image"]["early_exit"] = took
    assert f"Early exit took {took:.3g} ms per image here; the target was 2.5 ms" in text(report, good)


@pytest.mark.parametrize(("lost", "words"), [
    (0.04, "level with the ANN"), (0.5, "0.5 points below the ANN"), (-1.0, "1.0 points above the ANN")
])  # fmt: skip
def test_a_loss_has_a_side(lost: float, words: str) -> None:
    assert lost_words(lost) == words
