"""Wall time of the three ways to answer, measured in one run, interleaved, as medians."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.ir.program import Program
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ExitPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.runtime.stopwatch import timed

REPEATS = 3


def time_three_ways(
    ann: Program,
    model: SpikingModel,
    batches: Sequence[Tensor],
    repeats: int = REPEATS,
    progress: Progress = silent,
) -> ThreeRuns:
    """Return milliseconds per image of the ANN, of all timesteps and of early exit, each a median of ``repeats``.

    The three are run in turn, so that a change of the machine's speed meets all of them; one short run warms up.

    Args:
        ann: The ANN.
        model: Its spiking network.
        batches: Images already in memory.
        repeats: Runs of each.
        progress: Told after each run.
    """
    images = sum(len(batch) for batch in batches)
    capacity = max(len(batch) for batch in batches)
    ways: dict[str, Callable[[Sequence[Tensor]], object]] = {
        "ann": lambda data: [ann(batch.to(model.device, model.dtype)) for batch in data],
        "all_timesteps": lambda data: collect_readouts(model, data),
        "early_exit": lambda data: run_early_exit(model, data, capacity),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    counter = Counter(progress, "timing", repeats * len(ways))
    with torch.no_grad():
        for way in ways.values():
            way([batches[0][:1]])
        for _ in range(repeats):
            for name, way in ways.items():
                seconds[name].append(_seconds(way, batches, model.device))
                counter.add(1)
    return ThreeRuns(**{name: 1000 * statistics.median(values) / images for name, values in seconds.items()})


class Prices(NamedTuple):
    """Milliseconds an image of the stem, and of one timestep, when whole batches run."""

    stem: float
    step: float


def time_stem_and_step(model: SpikingModel, batches: Sequence[Tensor], repeats: int = REPEATS) -> Prices:
    """Return what the stem and a timestep cost, each a median over ``repeats`` runs of all ``batches``.

    Args:
        model: A spiking network.
        batches: Images already in memory.
        repeats: Runs.
    """
    found: list[Prices] = []
    with torch.no_grad():
        collect_readouts(model, [batches[0][:1]])
        for _ in range(repeats):
            stem = _seconds(
                lambda data: [model.drive(b.to(model.device, model.dtype)) for b in data], batches, model.device
            )
            whole = _seconds(lambda data: collect_readouts(model, data), batches, model.device)
            found.append(Prices(stem, max(whole - stem, 0.0) / model.timesteps))
    images = sum(len(batch) for batch in batches)
    return Prices(*(1000 * statistics.median(values) / images for values in zip(*found, strict=True)))


def time_plan(model: SpikingModel, batches: Sequence[Tensor], repeats: int = REPEATS) -> float:
    """Return milliseconds an image of the policy head alone, a median over ``repeats`` runs of all ``batches``."""
    found = [0.0] * repeats
    with torch.no_grad():
        for batch in batches:
            way = _planning(model, batch.to(model.device, model.dtype))
            way([batch])
            for number in range(repeats):
                found[number] += _seconds(way, [batch], model.device)
    return 1000 * statistics.median(found) / sum(len(batch) for batch in batches)


def time_early_exit(
    model: SpikingModel,
    batches: Sequence[Tensor],
    policy: ExitPolicy,
    repeats: int = REPEATS,
    price: float | None = None,
) -> tuple[float, float]:
    """Return average timesteps and milliseconds an image, a median of ``repeats``, of early exit with ``policy``.

    Where the policy reads a plan, ``price`` is the price of a timestep at which the policy head plans.
    """
    images, capacity = sum(len(batch) for batch in batches), max(len(batch) for batch in batches)
    averages: list[float] = []

    def run(data: Sequence[Tensor]) -> None:
        averages.append(run_early_exit(model, data, capacity, policy, price=price).average_timesteps)

    with torch.no_grad():
        seconds = [_seconds(run, batches, model.device) for _ in range(repeats)]
    return averages[0], 1000 * statistics.median(seconds) / images


def _planning(model: SpikingModel, image: Tensor) -> Callable[[Sequence[Tensor]], object]:
    """Return what plans for ``image``, whose drives are known beforehand."""
    drives = model.drive(image)
    return lambda _: model.plan(image, drives)


def _seconds(way: Callable[[Sequence[Tensor]], object], batches: Sequence[Tensor], device: torch.device) -> float:
    seconds: list[float] = []
    timed(way, device, seconds)(batches)
    return seconds[0]
