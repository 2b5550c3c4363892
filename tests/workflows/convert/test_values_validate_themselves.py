"""Every rule, target, certificate, neuron type, policy and option refuses, when it is made, what cannot work."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import small_artifacts as small
import torch

import seenn_convert as sc
from seenn_convert.calibration.rules import BalanceRule, MaxRule, MseRule, PercentileRule, ScaledRule
from seenn_convert.errors import InputError, SeennConvertError
from seenn_convert.neurons.types import Group, MultiLevel, Tracking, UnsignedMultiLevel
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy
from seenn_convert.training.planner.rewards import PaperReward, PricedReward

MAKERS: dict[Any, dict[str, Any]] = {
    sc.Options: {}, sc.PolicyOptions: {}, sc.ExitTarget: {}, sc.Certify: {"epsilon": 0.1, "delta": 0.1}, MseRule: {},
    PercentileRule: {}, BalanceRule: {}, ScaledRule: {"rule": MaxRule(), "factor": 1.5}, Tracking: {}, MultiLevel: {},
    UnsignedMultiLevel: {}, Group: {}, PricedReward: {}, PaperReward: {}, FixedPolicy: {"timesteps": 3},
    ThresholdPolicy: {"score_name": "confidence", "thresholds": (0.5,)}, PlannedPolicy: {}, sc.Preprocessing: {},
}  # fmt: skip
WRONG = (
    [], {}, object(), math.nan, math.inf, -math.inf, 1j, b"x", np.array([1, 2]), torch.tensor([1.0, 2.0]),
    torch.tensor(3), MaxRule, lambda x: x,
)  # fmt: skip
FIELDS = [(maker, field.name) for maker in MAKERS for field in dataclasses.fields(maker) if field.init]
ARRAYS = {"thresholds", "settings", "mean", "std"}


@pytest.mark.parametrize(("maker", "field"), FIELDS, ids=lambda one: getattr(one, "__name__", one))
def test_nonsense_is_refused_at_once_and_in_our_tree(maker: Any, field: str) -> None:
    for value in WRONG:
        if field in ARRAYS and isinstance(value, np.ndarray):
            continue
        with pytest.raises(SeennConvertError):
            maker(**{**MAKERS[maker], field: value})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: ScaledRule(MaxRule(), math.inf), "the factor must be at least 0.001 and at most 1000, got inf"),
        (lambda: ScaledRule(MaxRule(), 1e60), r"the factor must be .* got 1e\+60"),
        (lambda: ScaledRule(MaxRule, 2), "the rule to scale must be a threshold rule, such as MaxRule"),  # type: ignore[arg-type]
        (lambda: BalanceRule(math.nan), "levels must be a whole number, got nan"),  # type: ignore[arg-type]
        (lambda: MseRule(2.5), "levels must be a whole number, got 2.5"),  # type: ignore[arg-type]
        (lambda: sc.ExitTarget(drop="0.5"), "the points of the target drop must be a number, got '0.5'"),  # type: ignore[arg-type]
        (lambda: sc.Options(rule=MaxRule), "rule must be a threshold rule"),  # type: ignore[arg-type]
        (lambda: sc.Options(neuron=[]), "neuron must be one of"),  # type: ignore[arg-type]
        (lambda: sc.Options(batch_size=-5), "batch size must be at least 1, got -5"),
        (lambda: sc.Options(require_spiking="0.5"), "the spiking share to require must be a number, got '0.5'"),  # type: ignore[arg-type]
        (lambda: sc.Options(per_channel="no"), "per channel must be True or False, got 'no'"),  # type: ignore[arg-type]
        (lambda: sc.Options(timesteps=10**9), "timesteps must be at least 1 and at most"),
        (lambda: sc.Certify(True, 0.1), "the epsilon of a certificate must be a number, got True"),
    ],
)
def test_the_reason_is_said(make: Callable[[], object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make()


def test_all_problems_are_listed() -> None:
    with pytest.raises(InputError) as caught:
        sc.Options(timesteps=0, batch_size="8", require_spiking=2, per_channel=3, rule=MaxRule)  # type: ignore[arg-type]

    assert str(caught.value).count(" must be ") == 5


def test_numbers_of_numpy_make_the_same_options() -> None:
    plain = sc.Options(8, seed=3, rule=MseRule(4), target=sc.ExitTarget(timesteps=2.0), require_spiking=0.5)
    options = sc.Options(
        np.int32(8), seed=np.int64(3), rule=MseRule(np.int64(4)), target=sc.ExitTarget(timesteps=np.float64(2)),
        require_spiking=np.float32(0.5),
    )  # fmt: skip

    assert options == plain
    assert options.to_json() == plain.to_json()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"capacity": 0}, "the capacity of rows must be at least 1, got 0"),
        ({"capacity": "8"}, "the capacity of rows must be a whole number"),
        ({"capacity": 4, "row_floor": 0}, "the row floor must be at least 1"),
        ({"capacity": 4, "row_floor": 2.5}, "the row floor must be a whole number"),
        ({"capacity": 4, "price": math.nan}, "the price of a timestep must be finite"),
    ],
)
def test_a_run_refuses_its_arguments(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        sc.run_early_exit(small.artifact().model(), [torch.zeros(4, *small.SHAPE)], **arguments)


@pytest.mark.parametrize("batch_size", [0, -5, 2.5, "8", True])
def test_what_uses_an_artifact_refuses_a_batch_size(batch_size: Any) -> None:
    for use in (sc.evaluate, lambda a, d, size: sc.compare(a, d, d, batch_size=size)):
        with pytest.raises(InputError, match="batch size must be"):
            use(small.artifact(), small.dataset(), batch_size)


class Own(MaxRule):
    """A rule of a user's own that returns whatever it is told."""

    def __init__(self, found: object) -> None:
        object.__setattr__(self, "found", found)

    def v_threshold(self, statistics: Any) -> Any:
        return self.found(statistics) if callable(self.found) else self.found  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (3.0, "must return a tensor of shape"),
        (lambda s: s.maxima[:2], r"must return a tensor of shape \(\d+,\), got \(2,\)"),
        (lambda s: s.maxima * math.nan, "thresholds from nan to nan"),
        (lambda s: s.maxima * math.inf, "they must be finite"),
        (lambda s: -s.maxima, "not below 0"),
        (lambda s: s.maxima * 0, "above 0 where a channel fires"),
    ],
)
def test_what_a_rule_returns_is_checked(found: object, reason: str) -> None:
    options = sc.Options(timesteps=2, calibration="fast", rule=Own(found))
    with pytest.raises(InputError, match=reason):
        sc.convert(small.source(), small.dataset(), options)
