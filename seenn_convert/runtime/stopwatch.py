"""Wall time of calls, on whatever device they run."""

import statistics
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def timed(work: Callable[P, R], device: torch.device, seconds: list[float]) -> Callable[P, R]:
    """Return ``work``, with the seconds of each call appended to ``seconds``; a call ends when ``device`` is done."""

    def measured(*args: P.args, **kwargs: P.kwargs) -> R:
        _wait(device)
        start = time.perf_counter()
        result = work(*args, **kwargs)
        _wait(device)
        seconds.append(time.perf_counter() - start)
        return result

    return measured


def median_seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the median seconds of ``repeats`` calls, behind one in which allocators and kernels settle."""
    found: list[float] = []
    run = timed(work, device, found)
    for _ in range(repeats + 1):
        run()
    return statistics.median(found[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
