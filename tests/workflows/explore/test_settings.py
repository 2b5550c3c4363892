"""Settings that are tried: the one given is among them, what is fixed stays, short runs come first."""

from dataclasses import replace

import pytest

from seenn_convert.choices import VARIED_NAMES
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.neurons.types import Group
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.explore.settings import command_line, left_open, rounds, settings


def test_what_has_its_default_is_left_open() -> None:
    assert left_open(Options()) == ("neuron", "timesteps", "calibration", "front")
    assert left_open(Options(neuron="if", calibration="deep")) == ("timesteps", "front")
    assert left_open(Options(neuron=Group(6), timesteps=5, front=1)) == ("calibration",)


@pytest.mark.parametrize("base", [Options(), Options(neuron="group", neuron_levels=6), Options(timesteps=5, seed=7)])
def test_what_is_fixed_stays_and_the_setting_given_is_tried(base: Options) -> None:
    found = settings(base, left_open(base))
    assert base in found and len(found) == len(set(found)) > 2
    assert {one.seed for one in found} == {base.seed}
    if base.neuron != "signed":
        assert {(one.neuron, one.neuron_levels) for one in found} == {("group", 6)}
    if base.timesteps != 16:
        assert {one.timesteps for one in found} == {base.timesteps}


def test_nothing_open_leaves_the_setting_given() -> None:
    base = Options(neuron="if", timesteps=3, calibration="fast")
    assert settings(base, ()) == (base,) and rounds(base, ()) == ({"calibration": "fast"},)


def test_runs_shorter_than_the_target_are_left_out() -> None:
    base = Options(target=ExitTarget(timesteps=6))
    assert min(one.timesteps for one in settings(base, left_open(base))) == 8


def test_short_runs_come_first() -> None:
    found = [one.timesteps for one in settings(Options(), left_open(Options()))]
    assert found[:3] == [4, 8, 8] and found[-1] == 32


def test_rounds_go_from_cheap_to_dear_and_what_has_to_spike_has_no_front() -> None:
    fast, balanced = {"calibration": "fast"}, {"calibration": "balanced"}
    base = Options(front="none")
    assert rounds(base, VARIED_NAMES) == (fast, {**fast, "front": "auto"}, balanced)
    assert rounds(Options(front="auto"), ("front",)) == (balanced, {**balanced, "front": "none"})
    assert rounds(replace(base, require_spiking=0.5), VARIED_NAMES) == (fast, balanced)
    assert rounds(Options(calibration="deep"), ()) == ({"calibration": "deep"},)


def test_a_setting_is_written_as_the_command_line_takes_it() -> None:
    assert command_line(Options()) == "--neuron signed -T 16 --calibration balanced"
    options = Options(neuron="multilevel", neuron_levels=4, timesteps=2, calibration="fast")
    assert command_line(replace(options, front=2)).endswith("--calibration fast --front 2")
    assert command_line(options) == "--neuron multilevel --neuron-levels 4 -T 2 --calibration fast"
