"""Each threshold rule against the definition it approximates from a histogram."""

import json
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from theory import quantized_activation
from torch import Tensor

from seenn_convert.calibration.rules import (
    AutoRule,
    BalanceRule,
    MaxRule,
    MseRule,
    PercentileRule,
    ScaledRule,
    ThresholdRule,
    rule_from_json,
    rule_to_json,
)
from seenn_convert.calibration.statistics import BINS, ActivationStatistics
from seenn_convert.errors import InputError


def seen(values: Tensor) -> ActivationStatistics:
    """Return the statistics of ``values`` ``(N, C)``."""
    statistics = ActivationStatistics.empty(values.shape[1])
    statistics.update(values)
    return statistics


def sample(seed: int, size: int = 400) -> Tensor:
    """Return pre-activations ``(N, 3)`` of different scale and shape."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(size, 3, generator=generator)
    return torch.stack([normal[:, 0], 7 * normal[:, 1].abs().square(), 0.01 * normal[:, 2].exp()], dim=1)


@given(seed=st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_max_is_the_maximum(seed: int) -> None:
    values = sample(seed)
    assert torch.equal(MaxRule().v_threshold(seen(values)), values.amax(dim=0))


@given(seed=st.integers(0, 10**6), percentile=st.sampled_from([50.0, 75.0, 90.0, 99.0, 99.9, 100.0]))
@settings(deadline=None, max_examples=60)
def test_percentile_is_the_quantile_up_to_a_bin(seed: int, percentile: float) -> None:
    """Of N values in order, the ceil(N * p / 100)-th; the upper end of its bin is at most a bin's width above it."""
    values = sample(seed)
    statistics = seen(values)
    found = PercentileRule(percentile).v_threshold(statistics)
    rank = math.ceil(len(values) * Fraction(str(percentile)) / 100)
    wanted = values.sort(dim=0).values[rank - 1]
    upper = torch.quantile(values, percentile / 100, dim=0, interpolation="higher")
    width = torch.ldexp(torch.ones(3) / BINS, statistics.exponents)
    for channel in range(3):
        if wanted[channel] > 0:
            assert wanted[channel] <= found[channel] <= wanted[channel] + width[channel]
            assert found[channel] <= upper[channel] + width[channel]
        else:
            assert found[channel] == values[:, channel].max()


def test_percentile_counts_exactly() -> None:
    """Of 1,000 values, 99.9 per cent are 999: the threshold is the second largest, to a bin."""
    values = torch.arange(1, 1001).reshape(-1, 1) / 1000
    assert PercentileRule(99.9).v_threshold(seen(values)).item() == pytest.approx(0.999, abs=1 / BINS)
    assert PercentileRule(100).v_threshold(seen(values)).item() == 1.0


def test_percentile_takes_the_maximum_where_nearly_nothing_is_positive() -> None:
    values = torch.full((1000, 1), -1.0)
    values[0] = 3.0
    assert PercentileRule(99.0).v_threshold(seen(values)).item() == 3.0


@given(seed=st.integers(0, 10**6), levels=st.sampled_from([1, 2, 4, 8, 16]))
@settings(deadline=None, max_examples=25)
def test_mse_finds_the_candidate_of_least_error(seed: int, levels: int) -> None:
    """Brute force over all candidates with the values at their bins' centres, by the activation's own definition."""
    statistics, rule = seen(sample(seed, 200)), MseRule(levels, candidates=40)
    found = rule.v_threshold(statistics).double()
    for channel in range(3):
        centres, counts = statistics.centres()[channel].double(), statistics.counts[channel].double()
        tried = statistics.maxima[channel].double() * torch.arange(1, 41, dtype=torch.float64) / 40
        errors = torch.stack([
            ((quantized_activation(centres, theta, levels) - centres).square() * counts).sum() for theta in tried
        ])  # fmt: skip
        at = (tried - found[channel]).abs().argmin()
        assert tried[at] == pytest.approx(found[channel].item(), rel=1e-6)
        assert errors[at] <= errors.min() * (1 + 1e-9) + 1e-12


def test_mse_of_many_levels_clips_nothing_that_matters() -> None:
    """With levels without end the error is the clipping alone, so the maximum wins."""
    values = torch.linspace(0.01, 1, 500).reshape(-1, 1)
    assert MseRule(levels=512).v_threshold(seen(values)).item() == pytest.approx(1.0)


@pytest.mark.parametrize("rule", [MaxRule(), PercentileRule(99.0), MseRule()])
def test_a_channel_that_never_fires_gets_zero(rule: MaxRule | PercentileRule | MseRule) -> None:
    values = torch.stack([torch.rand(64), -torch.rand(64), torch.zeros(64)], dim=1)
    found = rule.v_threshold(seen(values))
    assert found[0] > 0
    assert found[1:].tolist() == [0, 0]
    assert found.shape == (3,)


def test_rules_say_their_options() -> None:
    assert [MaxRule().name, PercentileRule(99.9).name, MseRule(4).name] == ["max", "percentile 99.9", "mse, 4 levels"]


@pytest.mark.parametrize("make", [lambda: PercentileRule(0), lambda: PercentileRule(101), lambda: MseRule(0),
                                  lambda: PercentileRule(float("nan")), lambda: MseRule(8, 0)])  # fmt: skip
def test_options_without_sense_are_refused(make: object) -> None:
    with pytest.raises(InputError, match="got"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("levels", [1, 4, 16])
def test_in_balance_clipping_and_rounding_lose_the_same(levels: int) -> None:
    """At the threshold the slopes of both errors cancel, up to a bin, by the definition on the values themselves."""
    values = sample(3, 4000)
    found = BalanceRule(levels).v_threshold(seen(values)).double()
    width = torch.ldexp(torch.ones(3) / BINS, seen(values).exponents).double()

    def surplus(theta: Tensor) -> Tensor:
        clipped = 2 * (values.double() - theta).clamp(min=0).sum(dim=0)
        within = ((values > 0) & (values.double() <= theta)).sum(dim=0)
        return clipped - theta * within / (6 * levels**2)

    assert (surplus(found - 2 * width) > 0).all()
    assert (surplus(found + 2 * width) < 0).all()


def test_more_levels_balance_at_a_larger_threshold() -> None:
    statistics = seen(sample(0))
    low, high = (BalanceRule(levels).v_threshold(statistics) for levels in (2, 32))
    assert (low < high).all() and (high <= statistics.maxima).all()


def test_balance_of_a_dead_channel_is_zero_and_levels_are_checked() -> None:
    assert BalanceRule().v_threshold(seen(-torch.rand(50, 2))).tolist() == [0.0, 0.0]
    assert BalanceRule(8).name == "balance, 8 levels"
    with pytest.raises(InputError, match="levels must be at least 1, got 0"):
        BalanceRule(0)


def test_spikes_that_tell_levels_apart_are_offered_more_of_them() -> None:
    assert [rule.name for rule in AutoRule().candidates(8)] == [
        "mse, 4 levels",
        "mse, 8 levels",
        "mse, 12 levels",
        "max",
    ]
    assert AutoRule().middle(8) == MseRule(4) and AutoRule().finest(8) == MseRule(8)
    assert [rule.name for rule in AutoRule().candidates(8, 4)][:3] == [f"mse, {n} levels" for n in (16, 32, 48)]


@pytest.mark.parametrize("rule", [
    MaxRule(), PercentileRule(98.5), MseRule(6, candidates=17), BalanceRule(5), AutoRule(), ScaledRule(ScaledRule(MseRule(3), 2.0), 1.5),
])  # fmt: skip
def test_a_rule_comes_back_from_json_exactly(rule: ThresholdRule | AutoRule) -> None:
    assert rule_from_json(json.loads(json.dumps(rule_to_json(rule)))) == rule


class Half:
    """A rule of a user's own, without to_json."""

    name = "half"

    def v_threshold(self, statistics: ActivationStatistics) -> Tensor:
        return statistics.maxima / 2


def test_a_rule_of_ones_own_is_recorded_by_its_name_and_must_be_given_again() -> None:
    data = rule_to_json(Half())
    assert data == {"kind": "half"}
    with pytest.raises(InputError, match="'half' does not ship with this version; give one"):
        rule_from_json(data)
    with pytest.raises(InputError, match="cannot be read"):
        rule_from_json({"kind": "mse", "level": 3})
