"""Times are medians of interleaved runs, for each image."""

import itertools

import pytest
import small_artifacts as small
import torch

from seenn_convert.report import timing

BATCHES = list(small.draw(30, 61)[0].split(16))


def test_the_three_ways_are_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that doubles its stride: runs last 1, 4, 16, ... seconds; of 3 rounds the middle one counts."""
    ticks = itertools.accumulate(2.0**k for k in range(100))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(ticks))
    told: list[tuple[str, int, int]] = []
    found = timing.time_three_ways(
        small.ann_program(), small.model(4), BATCHES, progress=lambda *what: told.append(what)
    )
    middle = {"ann": 2.0**7, "all_timesteps": 2.0**9, "early_exit": 2.0**11}
    assert found == pytest.approx({name: 1000 * seconds / 30 for name, seconds in middle.items()})
    assert told == [("timing", done, 9) for done in range(10)]


def test_real_times_are_positive() -> None:
    found = timing.time_three_ways(small.ann_program(), small.model(4), BATCHES, repeats=1)
    assert all(value > 0 for value in found.values())
    assert not torch.is_inference_mode_enabled()
