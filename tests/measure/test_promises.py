"""A promise fails on other images only where chance does not explain it, and the reason leads to the advice."""

import math

import pytest
import torch

from seenn_convert.artifact.schema.evaluation import ExitDrift, Reason
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.measure.ann_gap import Gap
from seenn_convert.measure.promises import check_target, likely_reason, reason_words, target_words, with_reason


def right(lost: int, gained: int, images: int = 1000) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where the ANN is right and where early exit is: it loses some right answers and gains others."""
    ann, early = torch.ones(images, dtype=torch.bool), torch.ones(images, dtype=torch.bool)
    early[:lost], ann[lost : lost + gained] = False, False
    return ann, early


def drift(drifted: bool) -> ExitDrift:
    return ExitDrift(
        p_value=0.0, distance=0.5, bins=4, calibration_average_timesteps=2, average_timesteps=4, drifted=drifted
    )


def test_the_interval_is_that_of_paired_differences() -> None:
    found = check_target(0.5, 0.4, *right(30, 10))
    variance = (40 / 1000 - 0.02**2) * 1000 / 999
    half = 196 * math.sqrt(variance / 1000)
    assert found.observed == pytest.approx(2.0)
    assert found.interval95 == pytest.approx((2 - half, 2 + half), abs=1e-3)


def test_few_images_that_lose_nothing_do_not_tell_the_loss_exactly() -> None:
    """0 of 20 leaves a share up to 16.11 %: table I, method 3, of Newcombe, Statistics in Medicine 17 (1998)."""
    found = check_target(0.5, 5.0, *right(0, 0, images=20))
    assert found.holds and found.observed == 0.0
    assert found.interval95 == pytest.approx((-16.11, 16.11), abs=0.005)


@pytest.mark.parametrize(("asked", "expected", "holds"), [
    (0.5, 0.4, False), (1.0, 0.4, True), (None, 0.4, False), (None, 0.9, True), (0.5, 0.9, True)
])  # fmt: skip
def test_it_fails_if_the_loss_is_clearly_above_what_was_asked_for_and_what_was_expected(
    asked: float | None, expected: float, holds: bool
) -> None:
    """30 lost and 10 gained of 1,000: at least 0.76 points, 95 % sure."""
    assert check_target(asked, expected, *right(30, 10)).holds is holds


def test_what_is_expected_has_an_error_of_its_own() -> None:
    """Lost 2.0 points, with a standard error of 0.63; expected 0.4. So 1.6 is chance if the other error is 0.52."""
    given = (None, 0.4, *right(30, 10))
    assert not check_target(*given, error=0.5).holds and check_target(*given, error=0.54).holds


def test_exchangeable_images_are_hardly_ever_said_to_break_the_promise() -> None:
    """The true loss is the one expected: the lower end of a 95 % interval is above it in 2.5 % of the draws."""
    generator = torch.Generator().manual_seed(0)
    lost, gained = 0.03, 0.01
    failed = 0
    for _ in range(1000):
        chance = torch.rand(1000, generator=generator)
        ann, early = ~((chance >= lost) & (chance < lost + gained)), chance >= lost
        failed += not check_target(None, 100 * (lost - gained), ann, early).holds
    assert failed <= 45  # 25 expected; more than 45 with probability below 1e-4


def test_the_reason_is_the_gap_of_the_ann_else_the_drift_else_chance() -> None:
    gap = Gap("memorised", Caution("ann_gap", ""))
    assert likely_reason(gap, drift(True)) == "memorised"
    assert likely_reason(None, drift(True)) == "other_kind"
    assert likely_reason(None, drift(False), otherwise_sure=True) == "other_kind"
    assert likely_reason(gap, drift(False), otherwise_sure=True) == "memorised"
    assert likely_reason(None, drift(False)) == likely_reason(None, None) == "chance"


@pytest.mark.parametrize(("reason", "advice"), [
    ("memorised", "seenn-convert calibrate ARTIFACT --exit-data NEW"),
    ("other_kind", "seenn-convert calibrate ARTIFACT --data DATA"),
    ("chance", "more images"), ("mixed_up", "check those first"),
])  # fmt: skip
def test_a_failure_is_told_with_its_reason_and_what_to_do(reason: Reason, advice: str) -> None:
    check = with_reason(check_target(0.5, 0.4, *right(30, 10)), reason)
    words = target_words(check)
    assert check.reason == reason and reason_words(reason, "ann") in words and advice in words
    assert "does not hold here: 2.00 points below the ANN" in words
    assert "0.5 points asked for, 0.40 expected" in words


def test_what_holds_needs_no_reason() -> None:
    kept, unsure = (with_reason(check_target(0.5, 0.4, *right(*few)), "chance") for few in ((3, 3), (12, 4)))
    assert kept.reason is unsure.reason is with_reason(None, "chance") is None
    assert target_words(kept).startswith("The exit target holds here: 0.00 points")
    assert target_words(unsure).startswith("The exit target holds here, as far as so few images can tell: 0.80")


def test_a_gain_is_told_as_one() -> None:
    words = target_words(check_target(0.5, 0.4, *right(2, 4)))
    assert "0.20 points above the ANN (95% CI of the loss -" in words


def test_five_images_cannot_tell_that_a_target_holds() -> None:
    assert "as far as so few images can tell: 0.00" in target_words(check_target(0.5, 0.4, *right(0, 0, images=5)))


@pytest.mark.parametrize("asked", [None, 0.2])
def test_where_no_loss_was_promised_what_was_expected_is_the_measure(asked: float | None) -> None:
    """Timesteps were asked for, or a loss that was out of reach."""
    kept, broken = check_target(asked, 1.0, *right(5, 3)), check_target(asked, 1.0, *right(40, 0))
    assert target_words(kept).startswith("Early exit loses no more than expected here: 0.20")
    assert target_words(broken).startswith("Early exit loses more than expected here: 4.00")
