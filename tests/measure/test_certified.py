"""The check of a certificate on other data says "does not hold" only where chance does not explain it."""

import pytest
import torch

from seenn_convert.exits.certificates.bounds import lower_share, upper_share
from seenn_convert.exits.certificates.certificate import Certificate, Certify, make_certificate
from seenn_convert.measure.certified import check_certificate
from seenn_convert.report.certificate_words import evidence, outcome, promise


def certificate(risk: str = "disagreement", epsilon: float = 0.02) -> Certificate:
    losses = torch.tensor([1, 1] + [0] * 398)
    return make_certificate(Certify(epsilon, 0.05, risk, "binomial"), losses, 3.25, 3.25, False, {})  # type: ignore[arg-type]


def answers(changed: int, images: int = 1000) -> tuple[torch.Tensor, torch.Tensor]:
    full = torch.zeros(images, dtype=torch.int64)
    given = full.clone()
    given[:changed] = 1
    return given, full


@pytest.mark.parametrize(("changed", "holds"), [(5, True), (20, True), (28, True), (35, False), (200, False)])
def test_it_holds_unless_the_lower_bound_is_above_epsilon(changed: int, holds: bool) -> None:
    given, full = answers(changed)
    found = check_certificate(certificate(), given, full, full)
    assert found["interval95"] == [lower_share(changed, 1000, 0.025), upper_share(changed, 1000, 0.025)]
    assert found["holds"] is holds is (found["interval95"][0] <= 0.02)
    assert (found["failures"], found["observed"]) == (changed, changed / 1000)
    words = outcome(found)
    assert ("does not hold here" in words) is not holds
    assert ("as far as so few images can tell" in words) is (changed == 28)
    assert f"{changed / 10:.2f} % got another answer" in words


def test_lost_accuracy_counts_gains_against_losses() -> None:
    full, labels = torch.zeros(1000, dtype=torch.int64), torch.zeros(1000, dtype=torch.int64)
    labels[:100] = 1
    given = full.clone()
    given[:30], given[100:110] = 1, 1
    found = check_certificate(certificate("accuracy"), given, full, labels)
    assert (found["failures"], found["gains"], found["observed"]) == (10, 30, -0.02)
    assert found["holds"] and "-2.00 points lost" in outcome(found)


def test_the_promise_is_for_readers_without_statistics() -> None:
    words = promise(certificate().to_json(), 8)
    assert "at most 2 % of all images get another answer by leaving early than by running all 8 timesteps" in words
    assert "Of a hundred such promises" in words and "at most 5 would be broken" in words
    assert "leaving early costs at most 2 points of accuracy" in promise(certificate("accuracy").to_json(), 8)
    assert "400 held-out calibration images" in evidence(certificate().to_json())
    assert "2 of them got another answer" in evidence(certificate().to_json())


def test_a_certified_full_run_is_said_plainly() -> None:
    nothing, asked = (
        make_certificate(Certify(0.02, 0.05), torch.zeros(400).long(), 8.0, fastest, True, {}) for fastest in (8.0, 4.5)
    )
    words = promise(nothing.to_json(), 8)
    assert (
        "Nothing faster than the full run could be certified" in words and "every image takes all 8 timesteps" in words
    )
    assert promise(asked.to_json(), 8).startswith(
        "Faster exits could be certified, but the target asks for the full run"
    )


@pytest.mark.parametrize("data", [{}, {"epsilon": "x"}, {"epsilon": 0.1, "delta": 0.1}])
def test_words_survive_what_is_missing(data: dict[str, object]) -> None:
    assert promise(data)
    assert evidence(data) == outcome(data) == ""
