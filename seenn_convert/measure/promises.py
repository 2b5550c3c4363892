"""Whether what a conversion promised holds on images that had no part in it, and the likely reason if it does not."""

import math
from dataclasses import replace
from typing import TypeVar

from torch import Tensor

from seenn_convert.artifact.schema.evaluation import CertificateCheck, ExitDrift, Reason, TargetCheck
from seenn_convert.artifact.schema.shared import NETWORK_WORDS, REFERENCE_WORDS
from seenn_convert.choices import Reference
from seenn_convert.measure.ann_gap import AGAIN, FAR, REFIT, Gap
from seenn_convert.measure.intervals import NORMAL_95, points_lost, wilson_interval

C = TypeVar("C", CertificateCheck, TargetCheck)

REASONS: dict[Reason, str] = {
    "memorised": "The exits were fitted to images that {network} has probably seen in training, and nothing is "
    f"promised for new ones; fit them to images that it was not trained on: {REFIT}",
    "mixed_up": "Classes, labels or preprocessing of these images are probably mixed up; check those first",
    "other_kind": "These images are probably of another kind than those to which the exits were fitted, or "
    f"preprocessed in another way; check that, or calibrate again with images of this kind: {AGAIN}",
    "chance": "{network} answers these images as well as those to which the exits were fitted, and they leave at the "
    f"same timesteps, so the draw of those was probably unlucky; fit the exits to more images: {REFIT}",
}
"""What is said of a promise that fails."""


def check_target(
    asked: float | None, expected: float, ann_right: Tensor, right: Tensor, error: float = 0.0
) -> TargetCheck:
    """Return what early exit loses here; ``holds`` is False only where chance does not explain it.

    Args:
        asked: Points that may be lost against the ANN; None if something else was asked for.
        expected: Points that the held-out images let expect.
        ann_right: Whether the ANN is right, ``(N,)`` bool.
        right: Whether early exit is, ``(N,)`` bool.
        error: Standard error of ``expected``.
    """
    lost, half = points_lost(ann_right, right)
    half = half or 100 * wilson_interval(0, len(right))[1]  # images that all differ alike do not tell a loss exactly
    found = TargetCheck(
        asked=asked, expected=expected, observed=lost, interval95=(lost - half, lost + half), holds=True
    )
    as_asked = asked is not None and lost - half <= asked
    return replace(found, holds=as_asked or lost - expected <= math.hypot(half, NORMAL_95 * error))


def likely_reason(gap: Gap | None, drift: ExitDrift | None, otherwise_sure: bool = False) -> Reason:
    """Return why promises fail on images, by how the ANN answers them and by when they leave.

    Args:
        gap: Why it is right on more or fewer of them, if it is.
        drift: Whether they leave at other timesteps.
        otherwise_sure: Whether the ANN is clearly more or less sure of them, such as of images preprocessed otherwise.
    """
    if gap is not None:
        return gap.reason
    return "other_kind" if otherwise_sure or (drift is not None and drift.drifted) else "chance"


def with_reason(check: C | None, reason: Reason) -> C | None:
    """Return a check with the reason, if there is a check and it found that the promise fails."""
    return check if check is None or check.holds else replace(check, reason=reason)


def reason_words(reason: Reason | None, reference: Reference) -> str:
    """Return the sentence on why a promise fails, without its full stop."""
    words = REASONS[reason or "chance"].format(network=NETWORK_WORDS[reference])
    return words[:1].upper() + words[1:]


def points_words(points: float, reference: Reference = "ann") -> str:
    """Return a loss of points against the reference, or a gain."""
    return f"{abs(points):.2f} points {'above' if round(points, 2) < 0 else 'below'} {REFERENCE_WORDS[reference]}"


def target_words(check: TargetCheck, reference: Reference = "ann") -> str:
    """Return what early exit was to lose at most, what it loses, and why it loses more, if it clearly does."""
    low, high = check.interval95
    asked = "" if check.asked is None else f"{check.asked:.4g} points asked for, "
    facts = f"{points_words(check.observed, reference)} (95% CI of the loss {low:.2f} to {high:.2f}; {asked}"
    facts += f"{check.expected:.2f} expected)"
    aimed = check.asked is not None and check.expected <= check.asked
    if not check.holds:
        broken = "The exit target does not hold here" if aimed else "Early exit loses more than expected here"
        return f"{broken}: {facts}. {reason_words(check.reason, reference)}."
    half = check.interval95[1] - check.observed
    unsure = check.observed > check.promised or half > max(check.promised, 100 * FAR)
    chance = ", as far as so few images can tell" if unsure else ""
    return f"{'The exit target holds' if aimed else 'Early exit loses no more than expected'} here{chance}: {facts}."
