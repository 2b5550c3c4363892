"""A timed call returns what the call returns, and its seconds are noted one by one."""

import pytest
import torch

from seenn_convert.runtime import stopwatch
from seenn_convert.runtime.stopwatch import timed


def test_each_call_is_timed_and_its_result_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now[0])

    def work(lasts: float, factor: float = 1.0) -> float:
        now[0] += lasts * factor
        return 10 * lasts

    seconds: list[float] = []
    measured = timed(work, torch.device("cpu"), seconds)
    assert [measured(2.0), measured(3.0, factor=2.0)] == [20.0, 30.0]
    assert seconds == [2.0, 6.0]


def test_a_call_that_fails_has_no_time() -> None:
    def work() -> None:
        raise ValueError("no")

    seconds: list[float] = []
    with pytest.raises(ValueError, match="no"):
        timed(work, torch.device("cpu"), seconds)()
    assert seconds == []
