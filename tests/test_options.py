"""Options are checked when they are chosen, and say what decides about the result."""

import pytest

from seenn_convert.calibration.rules import PercentileRule
from seenn_convert.errors import InputError
from seenn_convert.options import Options
from seenn_convert.tuning.exit_threshold import ExitTarget


def test_every_problem_is_listed() -> None:
    with pytest.raises(InputError) as caught:
        Options(timesteps=0, batch_size=-1, neuron="lif", score="margin")  # type: ignore[arg-type]
    for reason in ("timesteps must be at least 1, got 0", "batch size must be at least 1, got -1",
                   "neuron must be one of signed, if, tracking, got 'lif'", "got 'margin'"):  # fmt: skip
        assert reason in str(caught.value)


def test_they_are_plain_data_without_what_does_not_matter() -> None:
    options = Options(4, "if", PercentileRule(99), False, False, ExitTarget(timesteps=2), "entropy", 7, "cpu", 5)
    assert options.to_json() == {
        "timesteps": 4, "neuron": "if", "encode": "auto", "threshold": "percentile 99", "per_channel": False, "timestep_bias": False,
        "target": {"drop": None, "timesteps": 2}, "score": "entropy", "seed": 5,
    }  # fmt: skip
    assert Options().target == ExitTarget(drop=0.5)
