"""Latency from service times: percentiles of single requests, and of requests that queue for one worker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

QUANTILES = (*range(0, 100, 5), 99, 100)
"""Percentiles that a curve is drawn through."""

REQUESTS = 20_000
"""Requests that are simulated."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long one request takes, in milliseconds.

    Attributes:
        p50: Half of all requests take at most this long.
        p95: 95 % do.
        p99: 99 % do.
        curve: The percentiles 0, 5, ... 95, 99, 100.
    """

    p50: float
    p95: float
    p99: float
    curve: tuple[float, ...]


def latency_of(seconds: Sequence[float]) -> Latency:
    """Return the percentiles of some requests."""
    milliseconds = 1000 * np.asarray(seconds, dtype=float)
    p50, p95, p99 = (float(np.percentile(milliseconds, share)) for share in (50, 95, 99))
    curve = tuple(float(np.percentile(milliseconds, share)) for share in QUANTILES)
    return Latency(p50=p50, p95=p95, p99=p99, curve=curve)


def queued(seconds: Sequence[float], arrivals_per_second: float, seed: int = 0) -> Latency | None:
    """Return what requests take that arrive at random and wait for one worker, simulated from service times.

    They arrive as a Poisson process, are served in order, and take service times drawn from ``seconds``. None if the
    worker cannot keep up: the queue would grow without end.
    """
    service = np.asarray(seconds, dtype=float)
    if arrivals_per_second * float(service.mean()) >= 1:
        return None
    draw = np.random.default_rng(seed)
    gaps = draw.exponential(1 / arrivals_per_second, REQUESTS)
    work = draw.choice(service, REQUESTS)
    waits, wait = np.zeros(REQUESTS), 0.0
    for number in range(1, REQUESTS):
        wait = max(wait + work[number - 1] - gaps[number], 0.0)  # Lindley's recursion
        waits[number] = wait
    return latency_of(waits + work)
