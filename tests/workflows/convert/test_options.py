"""Options are checked when they are chosen, and say what decides about the result."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from seenn_convert.calibration.rules import AutoRule, MaxRule, MseRule, PercentileRule, ScaledRule
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.neurons.types import Group, Signed
from seenn_convert.workflows.convert.options import Options, options_from_json


def test_every_problem_is_listed() -> None:
    with pytest.raises(InputError) as caught:
        Options(timesteps=0, batch_size=-1, neuron="lif", score="certainty")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a group has 1 to 256 members, got 0; encode must be one of auto, always"):
        Options(neuron="group", neuron_levels=0, encode="sometimes")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="skips must be one of graded, spiking, got 'none'"):
        Options(skips="none")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="depthwise must be one of graded, spiking, got 'auto'"):
        Options(depthwise="auto")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be at least 0 and at most 1, got 50"):
        Options(require_spiking=50)
    for reason in ("timesteps must be at least 1, got 0", "batch size must be at least 1, got -1",
                   "neuron must be one of signed, if, tracking, multilevel, multilevel-unsigned, group, or a NeuronType, got 'lif'", "got 'certainty'"):  # fmt: skip
        assert reason in str(caught.value)


def test_they_are_plain_data_without_what_does_not_matter() -> None:
    options = Options(
        4, "if", PercentileRule(99), per_channel=False, correction="none", target=ExitTarget(timesteps=2),
        score="entropy", batch_size=7, device="cpu", seed=5,
    )  # fmt: skip
    assert options.to_json() == {
        "timesteps": 4, "neuron": "if", "threshold": "percentile 99",
        "rule": {"kind": "percentile", "percentile": 99}, "per_channel": False,
        "calibration": "balanced", "correction": "none", "target": {"drop": None, "timesteps": 2, "milliseconds": None}, "score": "entropy", "seed": 5, "calibration_images": 1000,
        "encode": "auto", "skips": "graded", "depthwise": "graded", "front": "auto", "front_budget": 0.125,
        "require_spiking": 0.0, "certify": None, "precision": "float32",
    }  # fmt: skip
    assert Options().target == ExitTarget(drop=0.5)


@pytest.mark.parametrize(
    ("neuron", "levels"), [("tracking", 32), ("multilevel", 3), ("multilevel-unsigned", 3), ("group", 4)]
)
def test_each_type_has_as_many_levels_as_suit_it_or_as_are_given(neuron: str, levels: int) -> None:
    for options, wanted in ((Options(neuron=neuron), levels), (Options(neuron=neuron, neuron_levels=5), 5)):
        assert (options.neuron_type.name, options.neuron_type.levels) == (neuron, wanted)
        assert options.to_json()["neuron_levels"] == wanted


def test_a_front_may_be_a_number_of_numpy_and_is_written_as_a_plain_one() -> None:
    assert json.dumps(Options(front=np.int64(2)).to_json()["front"]) == "2"  # type: ignore[arg-type]
    for front in (True, -1, "3", 1.5, np.array([1, 2])):
        with pytest.raises(InputError, match="front must be none, auto, or a number of activations"):
            Options(front=front)  # type: ignore[arg-type]


@pytest.mark.parametrize("neuron", ["signed", "if"])
def test_types_without_levels_take_none(neuron: str) -> None:
    assert "neuron_levels" not in Options(neuron=neuron).to_json()
    with pytest.raises(InputError, match=f"{neuron} neurons have no levels; neuron types with levels: tracking, multilevel, "
                                         "multilevel-unsigned, group"):  # fmt: skip
        Options(neuron=neuron, neuron_levels=3)


@pytest.mark.parametrize(("wrong", "reason"), [
    ({"neuron": "multilevel", "neuron_levels": 17}, "a multi-level neuron has 1 to 16 levels, got 17"),
    ({"neuron": "multilevel-unsigned", "neuron_levels": 0}, "a multi-level neuron has 1 to 16 levels, got 0"),
    ({"neuron": "group", "neuron_levels": 257}, "a group has 1 to 256 members, got 257"),
    ({"neuron": "tracking", "neuron_levels": 0}, "a tracking neuron has 1 to 1048576 levels, got 0"),
    ({"neuron": "group", "neuron_levels": 2.5}, "neuron levels must be a whole number, got 2.5"),
    ({"timesteps": 2.5}, "timesteps must be a whole number, got 2.5"), ({"timesteps": True}, "whole number, got True"),
    ({"batch_size": "8"}, "batch size must be a whole number, got '8'"), ({"seed": 10**30}, "seed must be a whole number"),
    ({"seed": 0.5}, "seed must be a whole number of 64 bits"), ({"device": "foo"}, "device 'foo' cannot be used"),
    ({"device": "meta"}, "device 'meta' cannot be used"),
])  # fmt: skip
def test_what_no_run_could_use_is_refused(wrong: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Options(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-(2**63), 2**64 - 1])
def test_every_seed_of_64_bits_is_taken(seed: int) -> None:
    torch.Generator().manual_seed(Options(seed=seed).seed)


def test_a_certificate_alone_leaves_the_target_open() -> None:
    certify = Certify(0.01, 0.05)
    assert Options(certify=certify).target is None
    assert Options(certify=certify).to_json()["certify"] == {
        "epsilon": 0.01,
        "delta": 0.05,
        "risk": "disagreement",
        "bound": None,
    }
    assert Options(certify=certify, target=ExitTarget(drop=0.2)).target == ExitTarget(drop=0.2)
    with pytest.raises(
        InputError, match=r"certify must be a Certify, such as Certify\(epsilon=0.01, delta=0.05\), got 0.01"
    ):
        Options(certify=0.01)  # type: ignore[arg-type]


def test_more_target_timesteps_than_the_run_has_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"target timesteps must be at most the longest run of 4 timesteps \(-T\), got 4.5"
    ):
        Options(timesteps=4, target=ExitTarget(timesteps=4.5))
    assert Options(timesteps=4, target=ExitTarget(timesteps=4)).target is not None


def test_a_rule_or_a_target_of_another_type_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="rule must be a threshold rule, .* got 'mse'; target must be .* got 0.5"):
        Options(rule="mse", target=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [
    Options(),
    Options(4, "group", ScaledRule(MaxRule(), 1.5), per_channel=False, calibration="fast", neuron_levels=7, seed=3),
    Options(rule=MseRule(6, candidates=50), certify=Certify(0.01, 0.05, "accuracy", "betting"), correction="potential"),
    Options(target=ExitTarget(milliseconds=2.5), encode="always", skips="spiking", depthwise="spiking", score="patience"),
])  # fmt: skip
def test_they_come_back_from_plain_data(options: Options) -> None:
    found = options_from_json(json.loads(json.dumps(options.to_json())))
    assert found.to_json() == options.to_json()
    assert (found.rule, found.target, found.certify) == (options.rule, options.target, options.certify)


def test_a_rule_that_an_older_version_did_not_record_exactly_is_asked_for() -> None:
    old = {"timesteps": 4, "neuron": "if", "threshold": "max x 1.5"}
    with pytest.raises(InputError, match=r"only as 'max x 1.5'; give the rule again \(--threshold"):
        options_from_json(old)
    assert options_from_json(old, MaxRule()).rule == MaxRule()
    assert options_from_json({**old, "threshold": "auto"}).rule == AutoRule()
    assert options_from_json({**old, "threshold": "auto"}).depthwise == "spiking"  # as it was then


def test_a_neuron_type_is_a_name_or_a_value() -> None:
    assert Options(neuron=Group(6)).neuron_type == Options(neuron="group", neuron_levels=6).neuron_type
    assert Options(neuron=Group(6)).to_json() == Options(neuron="group", neuron_levels=6).to_json()


def test_a_neuron_type_that_cannot_be_told_apart_is_refused() -> None:
    @dataclass(frozen=True)
    class Other(Signed):
        pass

    for given, reason in (
        ({"neuron": Other()}, "the neuron type Other needs a name of its own, 'signed' is taken"),
        ({"neuron": Group(6), "neuron_levels": 6}, "neuron levels go with the name of a neuron type"),
        ({"neuron": Signed}, "neuron must be one of signed, .*, or a NeuronType"),
        ({"neuron": 3}, "neuron must be one of signed, .*, or a NeuronType, got 3"),
    ):
        with pytest.raises(InputError, match=reason):
            Options(**given)


def test_a_default_becomes_a_plain_number_which_an_artifact_can_hold() -> None:
    assert type(Options().for_frames(None).timesteps) is int
    assert (type(Options().for_frames(10).timesteps), Options().for_frames(10).timesteps) == (int, 10)
    assert Options(timesteps=7).for_frames(10).timesteps == 7
