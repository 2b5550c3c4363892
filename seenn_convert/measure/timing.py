"""Wall time of the parts of a spiking network, and of early exit, as medians of interleaved runs."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.program import Program
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.engine import unroll
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.policies import ExitPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.runtime.stopwatch import timed

REPEATS = 3

Way = Callable[[Sequence[Tensor]], object]
"""Answers, in one way or another, for batches of images."""


def time_stem_and_step(model: SpikingModel, batches: Sequence[Tensor], repeats: int = REPEATS) -> tuple[float, float]:
    """Return milliseconds per image of the stem and of one timestep, medians of ``repeats`` runs over ``batches``."""
    ways: list[Way] = [
        lambda data: [model.drive(batch.to(model.device, model.dtype)) for batch in data],
        lambda data: collect_readouts(model, data),
    ]
    stems, wholes = _in_turn(ways, batches, model.device, repeats)
    steps = [max(whole - stem, 0.0) / model.timesteps for stem, whole in zip(stems, wholes, strict=True)]
    return _per_image(stems, batches), _per_image(steps, batches)


class Parts(NamedTuple):
    """Milliseconds per image of the ANN, of the stem of a spiking network, and of one of its timesteps."""

    ann: float
    stem: float
    step: float


def time_parts(ann: Program, model: SpikingModel, image: Tensor, steps: int = 2, repeats: int = REPEATS) -> Parts:
    """Return what the parts of an answer cost for the rows of ``image``, medians of ``repeats`` runs in turn.

    A timestep is timed on the first ``steps`` of a run; the others cost the same.
    """
    rows = image.to(model.device, model.dtype)

    def first_steps(data: Sequence[Tensor]) -> None:
        unroll(fast_step(model), model.drive(data[0]), own_start(model, len(data[0])), steps)

    ways: list[Way] = [lambda data: ann(data[0]), lambda data: model.drive(data[0]), first_steps]
    anns, stems, wholes = _in_turn(ways, [rows], model.device, repeats)
    each = [max(whole - stem, 0.0) / steps for stem, whole in zip(stems, wholes, strict=True)]
    return Parts(*(_per_image(seconds, [rows]) for seconds in (anns, stems, each)))


def time_plan(model: SpikingModel, batches: Sequence[Tensor], repeats: int = REPEATS) -> float:
    """Return milliseconds per image of the policy head alone, a median over ``repeats`` runs of all ``batches``."""
    found = [_plan_seconds(model, batch.to(model.device, model.dtype), repeats) for batch in batches]
    return _per_image([sum(runs) for runs in zip(*found, strict=True)], batches)


def time_early_exit(
    model: SpikingModel,
    batches: Sequence[Tensor],
    policy: ExitPolicy,
    repeats: int = REPEATS,
    price: float | None = None,
) -> tuple[float, float]:
    """Return average timesteps and milliseconds per image, a median of ``repeats``, of early exit with ``policy``.

    Where the policy reads a plan, ``price`` is the price of a timestep at which the policy head plans.
    """
    capacity = max(len(batch) for batch in batches)
    averages: list[float] = []

    def run(data: Sequence[Tensor]) -> None:
        averages.append(run_early_exit(model, data, capacity, policy, price=price).average_timesteps)

    (seconds,) = _in_turn([run], batches, model.device, repeats)
    return averages[-1], _per_image(seconds, batches)


def _in_turn(ways: Sequence[Way], batches: Sequence[Tensor], device: torch.device, repeats: int) -> list[list[float]]:
    """Return the seconds that each way takes for all ``batches``, after a short run of each that warms up."""
    seconds: list[list[float]] = [[] for _ in ways]
    with torch.no_grad():
        for way in ways:
            way([batches[0][:1]])
        for _ in range(repeats):
            for way, found in zip(ways, seconds, strict=True):
                found.append(_seconds(way, batches, device))
    return seconds


def _per_image(seconds: Sequence[float], batches: Sequence[Tensor]) -> float:
    """Return the median in milliseconds per image."""
    return 1000 * statistics.median(seconds) / sum(len(batch) for batch in batches)


def _plan_seconds(model: SpikingModel, image: Tensor, repeats: int) -> list[float]:
    """Return the seconds of planning for ``image``, whose drives are known beforehand."""
    with torch.no_grad():
        drives = model.drive(image)
    (seconds,) = _in_turn([lambda _: model.plan(image, drives)], [image], model.device, repeats)
    return seconds


def _seconds(way: Way, batches: Sequence[Tensor], device: torch.device) -> float:
    seconds: list[float] = []
    timed(way, device, seconds)(batches)
    return seconds[0]
