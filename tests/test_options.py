"""Options are checked when they are chosen, and say what decides about the result."""

import pytest
import torch

from seenn_convert.calibration.rules import PercentileRule
from seenn_convert.errors import InputError
from seenn_convert.options import Options
from seenn_convert.tuning.exit_threshold import ExitTarget


def test_every_problem_is_listed() -> None:
    with pytest.raises(InputError) as caught:
        Options(timesteps=0, batch_size=-1, neuron="lif", score="margin")  # type: ignore[arg-type]
    for reason in ("timesteps must be at least 1, got 0", "batch size must be at least 1, got -1",
                   "neuron must be one of signed, if, got 'lif'", "got 'margin'"):  # fmt: skip
        assert reason in str(caught.value)


def test_they_are_plain_data_without_what_does_not_matter() -> None:
    options = Options(4, "if", PercentileRule(99), False, False, ExitTarget(timesteps=2), "entropy", 7, "cpu", 5)
    assert options.to_json() == {
        "timesteps": 4, "neuron": "if", "threshold": "percentile 99", "per_channel": False, "timestep_bias": False,
        "target": {"drop": None, "timesteps": 2}, "score": "entropy", "seed": 5,
    }  # fmt: skip
    assert Options().target == ExitTarget(drop=0.5)


@pytest.mark.parametrize(("wrong", "reason"), [
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
