"""A certificate is told to readers without statistics."""

from dataclasses import replace

import pytest
from fake_reports import CERTIFICATE, CHECK

from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.evaluation import CertificateCheck
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.report.narrative.certificate import evidence, outcome, promise

CERTIFIED, CHECKED = from_plain(CERTIFICATE, Certificate), from_plain(CHECK, CertificateCheck)


def test_the_promise_is_for_readers_without_statistics() -> None:
    words = promise(CERTIFIED, 8)
    assert "early exit changes at most 1 % of the answers that all 8 timesteps would give" in words
    assert "Of a hundred such certificates" in words and "at most 5 would be wrong" in words
    assert "costs at most 1 points of accuracy" in promise(replace(CERTIFIED, risk="accuracy"), 8)
    assert "400 held-out calibration images" in evidence(CERTIFIED)
    assert "changed 1 of their answers" in evidence(CERTIFIED)
    assert "1 answers became wrong and 0 became right" in evidence(replace(CERTIFIED, risk="accuracy"))


def test_a_certified_full_run_is_said_plainly() -> None:
    full = replace(CERTIFIED, full_run=True, average_timesteps=8.0, fastest_timesteps=8.0)
    assert "Nothing faster than the full run could be certified" in promise(full, 8)
    assert "the target asks for the full run" in promise(replace(full, fastest_timesteps=4.5), 8)


@pytest.mark.parametrize(("observed", "holds", "words"), [
    (0.004, True, "holds here:"), (0.02, True, "as far as so few images can tell"), (0.3, False, "does not hold here")
])  # fmt: skip
def test_the_outcome_follows_the_check(observed: float, holds: bool, words: str) -> None:
    assert words in outcome(replace(CHECKED, observed=observed, holds=holds))
