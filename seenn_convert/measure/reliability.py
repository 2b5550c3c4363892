"""How honest and how telling exit scores are: calibration error, reliability bins, and AUROC."""

from collections.abc import Iterator

import torch
from torch import Tensor

from seenn_convert.artifact.schema.comparison import Bin, ReliabilityRow
from seenn_convert.exits.readouts import Readouts
from seenn_convert.ir.scores import confidence
from seenn_convert.runtime.early_exit import ExitTrace

BINS = 15


def reliability_bins(confidence: Tensor, right: Tensor, bins: int = BINS) -> tuple[Bin, ...]:
    """Return the bins of equal width that hold images, from unsure to sure.

    Shapes: ``confidence`` ``(N,)`` in [0, 1], ``right`` ``(N,)`` bool.
    """
    which = (confidence.double() * bins).long().clamp(0, bins - 1)
    members = (which == number for number in torch.unique(which).tolist())
    return tuple(
        Bin(int(chosen.sum()), float(confidence[chosen].double().mean()), float(right[chosen].double().mean()))
        for chosen in members
    )


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """Return the mean distance of confidence and accuracy over the bins, weighted by their images.

    Source: expected calibration error, Guo et al. 2017.
    """
    found = reliability_bins(confidence, right, bins)
    return sum(b.images * abs(b.confidence - b.accuracy) for b in found) / max(len(confidence), 1)


def exit_confidence(trace: ExitTrace, temperatures: Tensor) -> Tensor:
    """Return the largest softmax probability at each exit, ``(N,)``, with the temperature ``(T,)`` of its timestep."""
    steps = (trace.exit_step - 1).clamp(max=len(temperatures) - 1)
    return confidence(trace.logits, temperatures.to(trace.logits.device)[steps].unsqueeze(-1))


def auroc(scores: Tensor, right: Tensor) -> float | None:
    """Return the chance that a right answer has a higher score than a wrong one, equal ones counted half.

    None where all are right, or none is. Shapes: ``scores`` ``(N,)``, ``right`` ``(N,)`` bool.
    """
    positives, negatives = int(right.sum()), int((~right).sum())
    if positives == 0 or negatives == 0:
        return None
    _, inverse, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).double()
    ranks = (ends - (counts.double() - 1) / 2)[inverse]
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def reliability_rows(readouts: Readouts, temperatures: Tensor) -> Iterator[ReliabilityRow]:
    """Yield, for each timestep, how far confidence is from accuracy before and after its temperature of ``(T,)``."""
    assert readouts.logits is not None
    for t, (logits, correct) in enumerate(zip(readouts.logits, readouts.right, strict=True), 1):
        temperature = float(temperatures[t - 1])
        before, after = confidence(logits), confidence(logits, temperature)
        yield ReliabilityRow(
            t=t,
            temperature=temperature,
            accuracy=float(correct.double().mean()),
            confidence_before=float(before.double().mean()),
            confidence_after=float(after.double().mean()),
            error_before=calibration_error(before, correct),
            error_after=calibration_error(after, correct),
            bins_before=reliability_bins(before, correct),
            bins_after=reliability_bins(after, correct),
        )
