"""How sure the ANN is of its answers, and whether its labels say that it is too sure: then the images are new to it."""

import math

import torch
from torch import Tensor

from seenn_convert.artifact.schema.shared import AnnConfidence

CLEARLY, ENOUGH = 3.0, 50
"""Standard errors of overconfidence that are no chance (probability 0.1 %), and the fewest images that tell."""


def ann_confidence(logits: Tensor, labels: Tensor | None) -> AnnConfidence:
    """Return how sure the ANN is, from its ``logits`` ``(N, K)`` and the ``labels`` ``(N,)``, if there are any.

    Let all logits be multiplied by a number b. The slope of the negative log likelihood in b, at b = 1, is for each
    image the mean logit that the ANN expects less the logit of the label. Training by cross-entropy ends where its mean
    over the training images is zero: otherwise a multiple of the last layer would be better. Regularisation and
    augmentation leave it negative. So a mean clearly above zero says that the images are not those of the training.
    """
    logits = logits.double()
    p = torch.softmax(logits, dim=-1)
    sure = p.amax(dim=-1)
    slopes = None if labels is None else (p * logits).sum(dim=-1) - logits.gather(1, labels.unsqueeze(1)).squeeze(1)
    return AnnConfidence(
        images=len(sure),
        average=min(1.0, float(sure.mean())),
        deviation=float(sure.std()) if len(sure) > 1 else 0.0,
        overconfidence=None if slopes is None else _standard_errors(slopes),
    )


def looks_new(found: AnnConfidence | None) -> bool:
    """Return whether the ANN is so much too sure of its answers on some images that it was not trained on them."""
    if found is None or found.overconfidence is None:
        return False
    return found.images >= ENOUGH and found.overconfidence > CLEARLY


def confidence_differs(first: AnnConfidence, second: AnnConfidence, unlikely: float, far: float) -> bool:
    """Return whether mean confidences differ by more than ``far``, and by chance with probability below ``unlikely``.

    The two-sided test of two means by the normal approximation.
    """
    distance = abs(first.average - second.average)
    variance = sum(one.deviation**2 / max(one.images, 1) for one in (first, second))
    return distance > far and math.erfc(distance / math.sqrt(2 * variance or 1e-12)) < unlikely


def _standard_errors(slopes: Tensor) -> float:
    """Return the mean of ``slopes`` ``(N,)`` in units of its standard error; 0 where they do not vary."""
    error = float(slopes.std()) / math.sqrt(len(slopes)) if len(slopes) > 1 else 0.0
    return float(slopes.mean()) / error if error > 0 else 0.0
