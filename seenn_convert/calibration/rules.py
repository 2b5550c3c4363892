"""Threshold rules: from the statistics of an activation to a firing threshold for each channel."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from seenn_convert.calibration.statistics import BINS, ActivationStatistics
from seenn_convert.choices import Range, settle_numbers
from seenn_convert.errors import InputError, refuse

LEVELS = Range(1, BINS, whole=True)
"""Levels of a quantised activation: more of them than bins of the statistics tell nothing."""

MOST_FACTOR = 1000
"""A threshold so many times larger or smaller than another rule's lets nothing through, or no size."""


class ThresholdRule(Protocol):
    """Turns statistics into thresholds, one per channel of the statistics it is given.

    A rule of one's own may also have ``to_json() -> dict``, with its name under ``"kind"``; an artifact then records it
    exactly.
    """

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return ``(C,)`` thresholds in units of the activation; 0 where nothing positive was seen."""


class _Plain:
    """A rule that is a frozen dataclass of plain values and other rules."""

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""
        return self.kind

    def to_json(self) -> dict[str, object]:
        """Return the rule as plain data, exactly; ``rule_from_json`` reads it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"kind": self.kind, **{name: rule_to_json(v) if hasattr(v, "name") else v for name, v in values.items()}}


@dataclass(frozen=True)
class MaxRule(_Plain):
    """The largest activation seen: nothing is clipped, small activations wait longest.

    Source: Diehl et al. 2015 (data-based normalisation).
    """

    kind: ClassVar[str] = "max"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return the maxima ``(C,)``."""
        return statistics.maxima.clone()


@dataclass(frozen=True)
class PercentileRule(_Plain):
    """The value that ``percentile`` per cent of all activations, zeros included, do not exceed.

    Where so few activations are positive that this would be 0, the maximum is taken.

    Source: Rueckauer et al. 2017 (robust normalisation).
    """

    kind: ClassVar[str] = "percentile"

    percentile: float = 99.9

    def __post_init__(self) -> None:
        """Refuse what is no percentile."""
        refuse(settle_numbers(self, percentile=Range(above=0, most=100, name="the percentile")))

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""
        return f"percentile {self.percentile:g}"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return ``(C,)`` upper ends of the bins in which the percentile falls."""
        positive = statistics.counts.sum(dim=1)
        not_positive = statistics.totals - positive
        rank = (statistics.totals.double() * self.percentile / 100).ceil().long() - not_positive
        cumulative = statistics.counts.cumsum(dim=1)
        index = (cumulative < rank.unsqueeze(1)).sum(dim=1).clamp(max=BINS - 1)
        edge = torch.ldexp((index + 1).float() / BINS, statistics.exponents)
        return torch.where(rank > 0, torch.minimum(edge, statistics.maxima), statistics.maxima)


@dataclass(frozen=True)
class MseRule(_Plain):
    """The threshold whose quantised activation has the smallest mean squared error to the activation.

    Args:
        levels: Levels L of the quantised activation: about the number of timesteps the network will take.
        candidates: Fractions of the maximum that are tried, evenly spaced up to 1.

    Source: Li et al. 2021 (SNN calibration), Bu et al. 2022 (quantised activation).
    """

    kind: ClassVar[str] = "mse"

    levels: int = 8
    candidates: int = 100

    def __post_init__(self) -> None:
        """Refuse an activation without levels."""
        refuse(settle_numbers(self, levels=LEVELS, candidates=Range(1, BINS, whole=True)))

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""
        return f"mse, {self.levels} levels"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return ``(C,)`` thresholds of least error."""
        fractions = torch.arange(1, self.candidates + 1, dtype=torch.float64) / self.candidates
        tried = statistics.maxima.double().unsqueeze(1) * fractions  # (C, candidates)
        best = self._error(statistics, tried).argmin(dim=1, keepdim=True)
        return tried.gather(1, best).squeeze(1).float()

    def _error(self, statistics: ActivationStatistics, v_threshold: Tensor) -> Tensor:
        """Return the sum of squared errors, ``(C, candidates)``, up to a term that does not depend on the threshold.

        With the counts N, sums S and a level q for each segment of bins that is rounded to it, the sum of
        ``(x - q)^2`` is ``sum x^2 + sum over segments of (q^2 N - 2 q S)``; N and S come from running sums.
        """
        level = torch.arange(1, self.levels + 1, dtype=torch.float64)
        unit = (v_threshold / self.levels).unsqueeze(2)
        width = torch.ldexp(torch.ones(statistics.channels, dtype=torch.float64) / BINS, statistics.exponents)
        first = torch.ceil((level - 0.5) * unit / width.reshape(-1, 1, 1) - 0.5).clamp(0, BINS).long()
        last = torch.cat([first[:, :, 1:], torch.full_like(first[:, :, :1], BINS)], dim=2)
        counts = statistics.counts.double()
        sums = counts * statistics.centres().double()
        segment_n = _between(counts, first, last)
        segment_s = _between(sums, first, last)
        quantized = level * unit
        return (quantized.square() * segment_n - 2 * quantized * segment_s).sum(dim=2)


@dataclass(frozen=True)
class BalanceRule(_Plain):
    """The threshold at which what clipping loses and what rounding loses are in balance.

    Local threshold balancing raises a threshold by what it clips, ``2 * mean(relu(x - theta))``, again and again, and
    is stopped at some point. Here the horizon stops it: rounding to ``levels`` steps of ``theta / levels`` has a mean
    squared error of ``theta^2 / (12 levels^2)`` where the activation is positive and not clipped, and where the slopes
    of both errors cancel, the threshold stays. It is found by halving an interval, not by iterating over the data.

    Args:
        levels: Levels L: about the number of timesteps times what a spike can resolve.

    Source: Bu et al. 2025 (local threshold balancing).
    """

    kind: ClassVar[str] = "balance"

    levels: int = 8

    def __post_init__(self) -> None:
        """Refuse an activation without levels."""
        refuse(settle_numbers(self, levels=replace(LEVELS, most=2**20)))

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""
        return f"balance, {self.levels} levels"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return ``(C,)`` thresholds in balance."""
        counts, centres = statistics.counts.double(), statistics.centres().double()
        below, above = torch.zeros_like(statistics.maxima.double()), statistics.maxima.double()
        for _ in range(40):
            tried = (below + above) / 2
            over = centres - tried.unsqueeze(1)
            clipped = 2 * (counts * over.clamp(min=0)).sum(dim=1)
            rounded = tried * (counts * (over <= 0)).sum(dim=1) / (6 * self.levels**2)
            raised = clipped > rounded
            below, above = torch.where(raised, tried, below), torch.where(raised, above, tried)
        return above.float()


@dataclass(frozen=True)
class ScaledRule(_Plain):
    """The thresholds of another rule, times ``factor``.

    Above 1 a neuron has headroom: one that got its input late can still catch up. In a deep network with many
    timesteps that is worth more than the finer steps it costs.
    """

    kind: ClassVar[str] = "scaled"

    rule: ThresholdRule
    factor: float

    def __post_init__(self) -> None:
        """Refuse a factor that leaves no threshold."""
        problems = settle_numbers(self, factor=Range(1 / MOST_FACTOR, MOST_FACTOR, name="the factor"))
        if not is_rule(self.rule) or isinstance(self.rule, AutoRule):
            problems.insert(0, f"the rule to scale must be a threshold rule, such as MaxRule(), got {self.rule!r}")
        refuse(problems)

    @property
    def name(self) -> str:
        """The rule with its options, for reports."""
        return f"{self.rule.name} x {self.factor:g}"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        """Return the scaled thresholds ``(C,)``."""
        return self.rule.v_threshold(statistics) * self.factor


@dataclass(frozen=True)
class AutoRule(_Plain):
    """No rule of its own: of several, the one that leaves the smallest error at the outputs for this network."""

    kind: ClassVar[str] = "auto"

    def candidates(self, timesteps: int, resolution: int = 1) -> tuple[ThresholdRule, ...]:
        """Return the rules to choose from for a longest run of ``timesteps``.

        Few timesteps want few levels, even if large activations are clipped; many want headroom above the maximum.
        More levels than a run tells apart clip less than its neurons can express; that, too, may be the better choice.

        Args:
            timesteps: The horizon T.
            resolution: Levels that one spike tells apart; 1 where all spikes have one size.
        """
        levels = sorted({self._levels(timesteps, resolution, share) for share in (0.5, 1, 1.5)})
        headroom = (1.0, 1.5, 2.0) if timesteps >= 32 else (1.0,)
        return (
            *(MseRule(level) for level in levels),
            *(MaxRule() if factor == 1 else ScaledRule(MaxRule(), factor) for factor in headroom),
        )

    def middle(self, timesteps: int, resolution: int = 1) -> ThresholdRule:
        """Return the candidate to take where none is tried: for half the run."""
        return MseRule(self._levels(timesteps, resolution, 0.5))

    def finest(self, timesteps: int, resolution: int = 1) -> ThresholdRule:
        """Return the candidate with the levels of the whole run: where tuning starts, which finds what to clip."""
        return MseRule(self._levels(timesteps, resolution, 1))

    @staticmethod
    def _levels(timesteps: int, resolution: int, share: float) -> int:
        """Return ``share`` times the levels that the whole run tells apart, within bounds."""
        return min(max(int(timesteps * resolution * share), 2), 64)


def is_rule(value: object) -> bool:
    """Return whether ``value`` is a threshold rule, or stands for one that is chosen."""
    named = not isinstance(value, type) and isinstance(getattr(value, "name", None), str)
    return named and (isinstance(value, AutoRule) or callable(getattr(value, "v_threshold", None)))


RULES: dict[str, type[_Plain]] = {
    rule.kind: rule for rule in (AutoRule, MaxRule, PercentileRule, MseRule, BalanceRule, ScaledRule)
}


def rule_to_json(rule: ThresholdRule | AutoRule) -> dict[str, object]:
    """Return ``rule`` as plain data; a rule without ``to_json`` gives its name alone."""
    to_json = getattr(rule, "to_json", None)
    return {"kind": rule.name} if to_json is None else to_json()


def rule_from_json(data: Mapping[str, Any]) -> Any:
    """Return the rule that ``to_json`` wrote.

    Raises:
        InputError: It is a rule of the user's own, or its values make no sense.
    """
    kind, values = data.get("kind"), {name: value for name, value in data.items() if name != "kind"}
    if kind not in RULES:
        raise InputError(
            f"the threshold rule {kind!r} does not ship with this version; give one (--threshold, or Options(rule=...))"
        )
    try:
        return RULES[kind](**{name: rule_from_json(v) if isinstance(v, Mapping) else v for name, v in values.items()})
    except TypeError as problem:
        raise InputError(f"the threshold rule {dict(data)!r} cannot be read: {problem}") from None


def _between(values: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Return the sum of ``values`` ``(C, BINS)`` over bins ``[first, last)``; both ``(C, candidates, L)``."""
    running = nn.functional.pad(values.cumsum(dim=1), (1, 0))
    flat_first, flat_last = first.flatten(1), last.flatten(1)
    return (running.gather(1, flat_last) - running.gather(1, flat_first)).reshape(first.shape)
