"""The check of a certificate on other data says "does not hold" only where chance does not explain it."""

import pytest
import torch

from seenn_convert.exits.certificates.bounds import lower_share, upper_share
from seenn_convert.exits.certificates.certificate import Certificate, Certify, make_certificate
from seenn_convert.measure.certified import broken_words, check_certificate, observed_words


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
    assert found.interval95 == (lower_share(changed, 1000, 0.025), upper_share(changed, 1000, 0.025))
    assert found.holds is holds is (found.interval95[0] <= 0.02)
    assert (found.failures, found.observed) == (changed, changed / 1000)
    words = broken_words(found)
    assert "does not hold here" in words and f"{changed / 10:.2f} % of the answers changed" in words


def test_lost_accuracy_counts_gains_against_losses() -> None:
    full, labels = torch.zeros(1000, dtype=torch.int64), torch.zeros(1000, dtype=torch.int64)
    labels[:100] = 1
    given = full.clone()
    given[:30], given[100:110] = 1, 1
    found = check_certificate(certificate("accuracy"), given, full, labels)
    assert (found.failures, found.gains, found.observed) == (10, 30, -0.02)
    assert found.holds and "-2.00 points of accuracy lost" in observed_words(found)
