"""No setting of a frontier is beaten by another one, and each setting that is beaten is beaten by one of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trials import trial

from seenn_convert.artifact.schema.exploration import Trial
from seenn_convert.choices import PREFER_NAMES, Prefer
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.frontier import beats, frontier, good_for, rank

SMALL = st.integers(0, 3)
TRIALS = st.lists(st.tuples(SMALL, SMALL, SMALL, SMALL, st.sampled_from([1, 2, 3, None])), min_size=1, max_size=8)


def trials_of(measures: list[tuple[int, int, int, int, int | None]]) -> list[Trial]:
    return [
        trial(f"setting {number}", expected_drop=drop, average_timesteps=steps, milliseconds=time, nanojoule=joule,
              bits_per_spike=bits)
        for number, (drop, steps, time, joule, bits) in enumerate(measures)
    ]  # fmt: skip


@given(TRIALS)
def test_a_frontier_is_not_dominated_and_dominates_the_rest(
    measures: list[tuple[int, int, int, int, int | None]],
) -> None:
    trials = trials_of(measures)
    best, dominated = frontier(trials)
    assert sorted(one.options for one in (*best, *dominated)) == sorted(one.options for one in trials)
    assert not any(beats(one, other) for one in best for other in best)
    assert all(any(beats(one, other) for one in best) for other in dominated)


@given(TRIALS, st.sampled_from(PREFER_NAMES), st.sampled_from([0.0, 1.0, 9.0]))
def test_what_is_preferred_is_on_the_frontier(
    measures: list[tuple[int, int, int, int, int | None]], prefer: Prefer, asked: float
) -> None:
    trials = [replace(one, reached=one.expected_drop <= asked) for one in trials_of(measures)]
    kept = min(trials, key=lambda one: rank(one, prefer, ExitTarget(drop=asked)))
    assert kept in frontier(trials)[0]


def test_narrower_spikes_keep_a_setting_on_the_frontier() -> None:
    """A chip that knows only 1 and -1 cannot run what is better with wider spikes."""
    signed = trial("signed", average_timesteps=6.0)
    wide = trial("multilevel", average_timesteps=2.0, milliseconds=1.0, bits_per_spike=3, unit_spikes=False)
    assert frontier([signed, wide])[1] == ()
    assert frontier([signed, trial("graded", average_timesteps=6.0, bits_per_spike=None)])[0] == (signed,)


@pytest.mark.parametrize(("prefer", "best"), [("accuracy", "a"), ("steps", "b"), ("time", "c"), ("energy", "d")])
def test_the_preference_decides_among_those_that_reach_the_target(prefer: Prefer, best: str) -> None:
    trials = [
        trial("a", expected_drop=0.1, average_timesteps=5.0),
        trial("b", expected_drop=0.4, average_timesteps=1.5, milliseconds=5.0),
        trial("c", expected_drop=0.5, average_timesteps=6.0, milliseconds=1.0),
        trial("d", expected_drop=0.3, average_timesteps=7.0, nanojoule=1.0),
        trial("missed", expected_drop=0.6, average_timesteps=1.0, milliseconds=0.1, nanojoule=0.1),
    ]
    assert min(trials, key=lambda one: rank(one, prefer, ExitTarget(drop=0.5))).options == best


@pytest.mark.parametrize("prefer", ["accuracy", "steps", "time", "energy"])
def test_where_none_reaches_the_target_the_least_drop_decides(prefer: Prefer) -> None:
    trials = [trial("fast", expected_drop=4.0, average_timesteps=1.0), trial("careful", expected_drop=2.0)]
    assert min(trials, key=lambda one: rank(one, prefer, ExitTarget(drop=0.5))).options == "careful"


def test_on_few_images_a_drop_may_exceed_the_target_by_what_they_cannot_tell() -> None:
    a, b = trial("a", expected_drop=1.0, average_timesteps=1.0), trial("b", expected_drop=0.1)
    target = ExitTarget(drop=0.5)
    assert rank(b, "steps", target) < rank(a, "steps", target)
    assert rank(a, "steps", target, slack=1.0) < rank(b, "steps", target, slack=1.0)


def test_what_a_setting_is_good_for() -> None:
    signed = trial("signed", average_timesteps=6.0, milliseconds=3.0)
    binary = trial("if", average_timesteps=9.0, milliseconds=0.5, bits_per_spike=1)
    wide = trial("multilevel", average_timesteps=2.0, milliseconds=1.0, bits_per_spike=3, unit_spikes=False)
    found = good_for([signed, binary, wide], graded_skips=False, device="cpu")
    assert {name: set(reasons) for name, reasons in found.items()} == {
        "signed": {"chip"}, "if": {"chip", "cpu"}, "multilevel": {"gpu"},
    }  # fmt: skip
    assert "--skips spiking" in good_for([signed], graded_skips=True, device="cpu")["signed"]["chip"]
    assert "--skips" not in found["signed"]["chip"]
    depthwise = good_for([signed], graded_skips=False, device="cpu", graded_depthwise=True)["signed"]["chip"]
    assert "--depthwise spiking" in depthwise and "--skips" not in depthwise
    assert "gpu" in good_for([signed], graded_skips=False, device="cuda:0")["signed"]
