"""Fit exit thresholds, one for each timestep: a path of them from careful to fast, and what a user may aim at.

The thresholds come from a dynamic programme on the fitting part of the calibration data, for a price of one timestep;
the price is chosen on the held-out part (``choose``).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.choices import Range, settle_numbers
from seenn_convert.errors import InputError, refuse

NEVER, ALWAYS = 2.0, -1.0
"""Thresholds that no score, or every score, exceeds: scores lie in [0, 1]."""

PRICES = tuple(float(p) for p in torch.logspace(-5, 0, 81, dtype=torch.float64))


@dataclass(frozen=True)
class ExitTarget:
    """What the user asked for; exactly one of the three is set.

    Attributes:
        drop: Points of accuracy that the spiking network may lose against the ANN, e.g. 0.5.
        timesteps: Average timesteps to spend.
        milliseconds: Time to spend per image, on average; becomes timesteps once a timestep was timed.

    Raises:
        InputError: Several or none are set, a drop below 0, timesteps below 1, no time, or no finite number.
    """

    drop: float | None = None
    timesteps: float | None = None
    milliseconds: float | None = None

    def __post_init__(self) -> None:
        """Check that the target makes sense."""
        if sum(value is not None for value in (self.drop, self.timesteps, self.milliseconds)) != 1:
            raise InputError("give a target drop, target timesteps or a target time, exactly one of the three")
        problems = settle_numbers(
            self,
            drop=Range(least=0, optional=True, name="the points of the target drop"),
            timesteps=Range(least=1, optional=True, name="the target timesteps"),
            milliseconds=Range(above=0, optional=True, name="the milliseconds of the target time"),
        )
        refuse(problems)


def full_run(timesteps: int) -> tuple[float, ...]:
    """Return the thresholds that let nobody leave before the last timestep."""
    return (NEVER,) * (timesteps - 1) + (ALWAYS,)


def careful_to_fast(scores: Tensor, worth: Tensor) -> list[tuple[float, ...]]:
    """Return sets of thresholds from the full run to leaving at once, fitted to ``scores`` and ``worth`` ``(T, N)``.

    Each price of a timestep gives one set; in front of the smallest price, its thresholds are moved towards
    certainty in equal steps of log odds, since a few hundred images cannot tell small prices apart.
    """
    priced = [price_thresholds(scores, worth, price) for price in PRICES]
    return [full_run(len(scores)), *(_surer(priced[0], step / 4) for step in range(24, 0, -1)), *priced]


def price_thresholds(scores: Tensor, worth: Tensor, price: float, latest: Tensor | None = None) -> tuple[float, ...]:
    """Return thresholds that weigh the worth of the answers against ``price`` a timestep.

    Backwards over the timesteps: the value of waiting is known for each image once the later thresholds are; the best
    threshold now is the one below which waiting is worth more, in sum over all images, than leaving. Each threshold
    is thus the best there is given the later ones, if all images came that far. It is not fitted again to the few
    that the earlier thresholds leave: for two timesteps the choice is the best of all, for more it need not be.

    Args:
        scores: ``(T, N)``.
        worth: ``(T, N)`` probability that the answer is right.
        price: What a timestep costs, in answers.
        latest: ``(N,)`` timestep, from 0, at which each image leaves at the latest; the last one where None. Only those
            that may still wait decide about a threshold.
    """
    worth = worth.double()
    if latest is None:
        latest = torch.full_like(scores[0], len(scores) - 1, dtype=torch.int64)
    value = worth[-1]
    thresholds = [ALWAYS]
    for t in range(len(scores) - 2, -1, -1):
        waiting, free = value - price, latest > t
        order = torch.argsort(scores[t], descending=True, stable=True)
        order = order[free[order]]
        gain = torch.cat([value.new_zeros(1), (worth[t] - waiting)[order].cumsum(0)])
        ranked = scores[t][order]
        gain[1:-1][ranked[:-1] == ranked[1:]] = -torch.inf  # equal scores leave together
        leaving = int(gain.argmax())
        thresholds.append(_between(ranked, leaving))
        value = torch.where((scores[t] > thresholds[-1]) | ~free, worth[t], waiting)
    return tuple(reversed(thresholds))


def first_exit(scores: Tensor, threshold: Tensor | float) -> Tensor:
    """Return the 0-based timestep at which each sample leaves, ``(N,)``: the first score above, else the last."""
    leaves = scores > threshold
    leaves[-1] = True
    return leaves.to(torch.uint8).argmax(dim=0)


def trade_off(scores: Tensor, right: Tensor, points: int = 60) -> list[tuple[float, float, float]]:
    """Return (threshold, accuracy, average timesteps) of single thresholds, in rising order: for looking at only."""
    candidates = torch.unique(scores.flatten())
    chosen = candidates[torch.linspace(0, len(candidates) - 1, min(points, len(candidates))).long()].tolist()
    curve = []
    for threshold in [ALWAYS, *chosen, NEVER]:
        step = first_exit(scores, threshold)
        accuracy = float(right.gather(0, step.unsqueeze(0)).double().mean())
        curve.append((threshold, accuracy, float((step + 1).double().mean())))
    return curve


def _surer(thresholds: tuple[float, ...], log_odds: float) -> tuple[float, ...]:
    """Return the thresholds moved towards 1; those that nobody or everybody exceeds stay."""
    moved = [math.log(x / (1 - x)) + log_odds if 0 < x < 1 else None for x in thresholds]
    return tuple(x if odds is None else 1 / (1 + math.exp(-odds)) for x, odds in zip(thresholds, moved, strict=True))


def _between(ranked: Tensor, leaving: int) -> float:
    """Return a threshold that the first ``leaving`` of the falling scores exceed, and the others do not."""
    if leaving == 0:
        return NEVER
    if leaving == len(ranked):
        return ALWAYS
    middle = (ranked[leaving - 1] + ranked[leaving]) / 2
    return float(middle if middle < ranked[leaving - 1] else ranked[leaving])
