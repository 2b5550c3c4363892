"""How honest and how telling exit scores are: calibration error, reliability bins, and AUROC."""

import torch
from torch import Tensor

from seenn_convert.artifact.schema.comparison import Bin

BINS = 15


def reliability_bins(confidence: Tensor, right: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins of equal width that hold images, from unsure to sure.

    Args:
        confidence: ``(N,)``, in [0, 1].
        right: ``(N,)`` bool.
        bins: How many.
    """
    which = (confidence.double() * bins).long().clamp(0, bins - 1)
    found = []
    for number in torch.unique(which).tolist():
        chosen = which == number
        found.append(
            Bin(int(chosen.sum()), float(confidence[chosen].double().mean()), float(right[chosen].double().mean()))
        )
    return tuple(found)


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """Return the mean distance of confidence and accuracy over the bins, weighted by their images.

    Source: expected calibration error, Guo et al. 2017.
    """
    found = reliability_bins(confidence, right, bins)
    return sum(b.images * abs(b.confidence - b.accuracy) for b in found) / max(len(confidence), 1)


def auroc(scores: Tensor, right: Tensor) -> float | None:
    """Return the chance that a right answer has a higher score than a wrong one, equal ones counted half.

    None where all are right, or none is.

    Args:
        scores: ``(N,)``.
        right: ``(N,)`` bool.
    """
    positives, negatives = int(right.sum()), int((~right).sum())
    if positives == 0 or negatives == 0:
        return None
    _, inverse, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = (ends - (counts.double() - 1) / 2)[inverse]
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))
