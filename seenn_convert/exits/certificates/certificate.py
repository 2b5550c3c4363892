"""Certificates: how much leaving early costs at most, with a stated probability, learned and then tested."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from msgspec import Meta
from torch import Tensor

from seenn_convert.choices import BOUND_NAMES, RISK_NAMES, Bound, Range, Risk, settle_numbers, unknown
from seenn_convert.errors import CalibrationDataError, refuse
from seenn_convert.exits.certificates.risk import counted, default_bound, images_needed, shows, upper_risk

Share = Annotated[float, Meta(gt=0, lt=1)]
Loss = Annotated[float, Meta(ge=-1, le=1)]
Count = Annotated[int, Meta(ge=0)]
Average = Annotated[float, Meta(ge=1)]
"""What the numbers of a certificate may be; checked when one is read from a file."""


@dataclass(frozen=True)
class Certify:
    """What to certify: with probability at least ``1 - delta``, leaving early costs at most ``epsilon``.

    Attributes:
        epsilon: Share of all inputs whose answer may change, or accuracy that may be lost; 0.01 is one point.
        delta: Probability that the calibration images were so unlucky a draw that this does not hold.
        risk: ``"disagreement"`` with the full run, which needs no labels, or lost ``"accuracy"``.
        bound: ``"binomial"``, exact for counted losses, or ``"betting"``; None takes the one that suits the risk
            and the number of images.

    Raises:
        InputError: A number is out of range or a name unknown; lists every such option.
    """

    epsilon: float
    delta: float
    risk: Risk = "disagreement"
    bound: Bound | None = None

    def __post_init__(self) -> None:
        """Refuse what says nothing."""
        share = Range(above=0, below=1)
        problems = settle_numbers(
            self,
            epsilon=replace(share, name="the epsilon of a certificate"),
            delta=replace(share, name="the delta of a certificate"),
        )
        problems += unknown("the risk to certify", self.risk, RISK_NAMES)
        if self.bound is not None:
            problems += unknown("the bound of a certificate", self.bound, BOUND_NAMES)
        refuse(problems)

    def bound_for(self, images: int) -> Bound:
        """Return the bound asked for, or the one that suits the risk and so many images."""
        return self.bound or default_bound(self.risk, images, self.epsilon, self.delta)


@dataclass(frozen=True)
class Certificate:
    """What is certified, and what it rests on.

    Attributes:
        risk: ``"disagreement"`` or ``"accuracy"``.
        epsilon: The risk is at most this,
        delta: but for this probability, over the draw of the held-out calibration images.
        bound: ``"binomial"`` or ``"betting"``.
        images: Held-out images; nothing was fitted to them.
        failures: Of these, how many answers changed, or were right only after all timesteps.
        gains: How many were right only at the exit; 0 for disagreement.
        observed: Mean loss on these images.
        upper_bound: Bound of the risk of this policy taken alone; never above ``epsilon``, which is what is certified
            although the policy was chosen on these images.
        average_timesteps: Mean exit step on these images.
        fastest_timesteps: The same of the fastest policy that could be certified; a target may ask for more care.
        full_run: Whether nobody leaves early, which costs nothing by definition.
        policy: The exit policy that it is about; of another policy it says nothing.
    """

    risk: Risk
    epsilon: Share
    delta: Share
    bound: Bound
    images: Count
    failures: Count
    gains: Count
    observed: Loss
    upper_bound: Loss
    average_timesteps: Average
    fastest_timesteps: Average
    full_run: bool
    policy: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse counts of more images than there are."""
        if self.failures + self.gains > self.images:
            raise ValueError(f"{self.failures} failures and {self.gains} gains among {self.images} images")


def last_certified(losses: Tensor, request: Certify) -> int:
    """Return the position of the last point that is certified, walking from careful to fast; -1 where none is.

    Learn, then test: the points were fixed without these images. They are tested in their order, each at the whole
    ``delta``, until the first that cannot be certified: the one before it is the last. So all points up to there
    have a risk of at most ``epsilon`` together, with probability at least ``1 - delta``, and whatever chooses among
    them keeps that. The ``losses`` ``(points, images)`` are -1, 0 or 1; those of the first point, the full run, are 0.

    Source: fixed-sequence testing in Angelopoulos et al. 2021 (Learn then Test).
    """
    bound = request.bound_for(losses.shape[-1])
    return int(leading(shows(bound, losses, request.epsilon, request.delta))) - 1


def leading(passed: Tensor) -> Tensor:
    """Return how many of ``passed`` ``(..., P)`` are true before the first that is not, ``(...)`` int64."""
    return passed.long().cumprod(dim=-1).sum(dim=-1)


def make_certificate(
    request: Certify,
    losses: Tensor,
    average_timesteps: float,
    fastest_timesteps: float,
    full_run: bool,
    policy: Mapping[str, object],
) -> Certificate:
    """Return the certificate of the chosen point, whose ``losses`` are ``(images,)``; the walk has reached it.

    ``fastest_timesteps`` are those of the last point that the walk has reached, all else is of the chosen one.
    """
    gains, _, failures = counted(losses).tolist()
    bound = request.bound_for(len(losses))
    return Certificate(
        risk=request.risk,
        epsilon=request.epsilon,
        delta=request.delta,
        bound=bound,
        images=len(losses),
        failures=failures,
        gains=gains,
        observed=float(losses.double().mean()),
        upper_bound=0.0 if full_run else min(request.epsilon, upper_risk(bound, losses, request.delta)),
        average_timesteps=average_timesteps,
        fastest_timesteps=fastest_timesteps,
        full_run=full_run,
        policy=dict(policy),
    )


def check_certifiable(request: Certify, images: int, held_out: int, labelled: bool, kind: str = "calibration") -> None:
    """Raise CalibrationDataError where the data cannot give the certificate, whatever the network does.

    Nothing is fitted to ``held_out`` of its ``images``, which are called ``kind`` images.
    """
    if request.risk == "accuracy" and not labelled:
        raise CalibrationDataError(
            f"the {kind} images have no labels, and a certificate of accuracy counts right answers; give labelled "
            "images, or certify the disagreement with the full run (--certify-risk disagreement)"
        )
    needed = images_needed(request.bound_for(held_out), request.epsilon, request.delta)
    if held_out < needed:
        total = max(images + 1, math.ceil(needed * images / max(held_out, 1)))
        raise CalibrationDataError(
            f"{held_out} held-out images of {images} {kind} images are too few to certify {request.epsilon:g} "
            f"with delta {request.delta:g}, even if leaving early cost nothing: {needed} are needed, which are "
            f"about {total} {kind} images; give more, use more of them (--calibration-images), or a larger epsilon"
        )
