"""What the commands print about a conversion."""

import pytest
import small_artifacts as small

from seenn_convert.cli.console import conversion_text


@pytest.mark.parametrize(("neuron", "words"), [
    ({"kind": "signed", "alphabet": [-1, 0, 1]}, "signed neurons (a spike is -1, 0, +1); spikes drive"),
    ({"kind": "if", "alphabet": [0, 1], "bits_per_spike": 1}, "if neurons (a spike is 0, +1: 1 bit); spikes drive"),
    ({"kind": "multilevel", "alphabet": [-2, -1, 0, 1, 2], "bits_per_spike": 3},
     "multilevel neurons (a spike is -2, -1, 0, +1, +2: 3 bits); spikes drive"),
    ({"kind": "group", "alphabet": list(range(-5, 6)), "bits_per_spike": 4},
     "group neurons (a spike is one of 11 numbers from -5 to +5: 4 bits); spikes drive"),
    ({"kind": "tracking", "alphabet": None, "bits_per_spike": None}, "tracking neurons (a spike is any whole number);"),
])  # fmt: skip
def test_a_conversion_says_what_a_spike_may_be(neuron: dict[str, object], words: str) -> None:
    """Reports from before the bits were said show the spikes alone."""
    report = small.artifact().report
    text = conversion_text({**report, "conversion": {**report["conversion"], "neuron": neuron}})

    assert f"2 layers of {words}" in text


def test_a_target_in_timesteps_is_said_so_where_a_time_was_once_measured() -> None:
    from seenn_convert.cli.console import _target

    exit_ = {"target": {"drop": None, "timesteps": 2.5, "milliseconds": None}, "step_time": {"timesteps": 2.5}}
    assert _target(exit_) == "2.5 timesteps"
