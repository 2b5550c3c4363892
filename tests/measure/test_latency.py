"""Latency: percentiles as defined, and a queue that behaves as queueing theory says."""

import numpy as np
import pytest

from seenn_convert.measure.latency import QUANTILES, latency_of, queued


def test_percentiles_are_in_milliseconds() -> None:
    found = latency_of([number / 1000 for number in range(101)])
    assert (found.p50, found.p95, found.p99) == pytest.approx((50, 95, 99))
    assert found.curve == pytest.approx(QUANTILES)


def test_equal_service_times_wait_as_in_the_theory() -> None:
    """M/D/1 at a load of a half: requests wait for half a service time on average, rho / (2 (1 - rho))."""
    found = queued([0.01], 50.0)
    assert found is not None
    middle = np.interp(np.linspace(0, 100, 10_001), QUANTILES, found.curve)
    assert found.curve[0] == pytest.approx(10.0) and found.p50 == pytest.approx(10.0, abs=2.5)
    assert middle.mean() == pytest.approx(15.0, rel=0.1)


def test_half_of_the_requests_find_the_worker_free_at_half_the_load() -> None:
    found = queued([0.01], 50.0)
    assert found is not None
    assert sum(value <= 10.0 + 1e-9 for value in found.curve) / len(found.curve) == pytest.approx(0.5, abs=0.06)


def test_a_worker_that_cannot_keep_up_has_no_latency() -> None:
    assert queued([0.02, 0.02], 50.0) is None and queued([0.02], 49.0) is not None


def test_uneven_service_times_wait_longer() -> None:
    """The same mean and load, but times that vary: the wait grows with their second moment (Pollaczek-Khinchine)."""
    even, uneven = queued([0.01], 70.0), queued([0.001] * 9 + [0.091], 70.0)
    assert even is not None and uneven is not None and uneven.p95 > 2 * even.p95
