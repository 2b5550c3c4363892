"""What leaving early may cost, image by image: another answer, or an answer that is no longer right."""

import torch
from torch import Tensor

from seenn_convert.choices import Bound, Risk
from seenn_convert.exits.certificates import betting, bounds


def default_bound(risk: Risk, images: int, epsilon: float, delta: float) -> Bound:
    """Return the bound that is mostly the tighter one in ``benchmarks/validity.py``, whatever the images show.

    Betting counts gains, which only accuracy has, but needs some more images to show anything at all.
    """
    gains = risk == "accuracy" and images >= betting.images_needed(epsilon, delta)
    return "betting" if gains else "binomial"


def exit_losses(risk: Risk, answers: Tensor, full: Tensor, labels: Tensor | None) -> Tensor:
    """Return the loss of each image, ``(..., N)`` int64.

    Disagreement: 1 where the answer at the exit is not that of the full run. Accuracy: 1 where the full run is right
    and the exit wrong, -1 the other way round.

    Shapes: ``answers`` at the exit ``(..., N)``; ``full``, those after all timesteps, and ``labels`` ``(N,)``.
    """
    if risk == "disagreement":
        return (answers != full).long()
    assert labels is not None
    return (full == labels).long() - (answers == labels).long()


def counted(losses: Tensor) -> Tensor:
    """Return ``(..., 3)``: how many images of ``losses`` ``(..., N)`` gain, stay as they are, and lose."""
    return torch.stack([(losses == value).sum(dim=-1) for value in (-1, 0, 1)], dim=-1)


def shows(bound: Bound, losses: Tensor, epsilon: float, delta: float) -> Tensor:
    """Return whether ``losses`` show that the mean loss is below ``epsilon``, ``(...)`` bool, ``1 - delta`` sure.

    The binomial bound counts losses and forgives nothing for gains; so it bounds the mean loss, too. ``losses``
    ``(..., N)`` are -1, 0 or 1, of the same images in each row.
    """
    if bound == "binomial":
        return bounds.binomial_p_values((losses > 0).sum(dim=-1), losses.shape[-1], epsilon) <= delta
    return betting.rejects(_shuffled(losses), epsilon, delta)


def upper_risk(bound: Bound, losses: Tensor, delta: float) -> float:
    """Return what the mean of ``losses`` ``(N,)`` is at most, with probability at least ``1 - delta``."""
    if bound == "binomial":
        return bounds.upper_share(int((losses > 0).sum()), len(losses), delta)
    return betting.upper_mean(_shuffled(losses), delta)


def images_needed(bound: Bound, epsilon: float, delta: float) -> int:
    """Return the fewest images on which the bound can show a mean loss of at most ``epsilon``: when none loses."""
    needed = bounds.images_needed if bound == "binomial" else betting.images_needed
    return needed(epsilon, delta)


def risk_interval(risk: Risk, losses: Tensor, delta: float = 0.05) -> tuple[float, float]:
    """Return an interval that holds the mean of ``losses`` ``(N,)`` with probability at least ``1 - delta``."""
    if risk == "disagreement":
        failures = int((losses > 0).sum())
        return (bounds.lower_share(failures, len(losses), delta / 2),
                bounds.upper_share(failures, len(losses), delta / 2))  # fmt: skip
    losses = _shuffled(losses)
    return betting.lower_mean(losses, delta / 2), betting.upper_mean(losses, delta / 2, lowest=-1.0)


def _shuffled(losses: Tensor) -> Tensor:
    """Return the losses in a random order, always the same: data sets are often sorted by class."""
    order = torch.randperm(losses.shape[-1], generator=torch.Generator().manual_seed(0))
    return losses[..., order]
