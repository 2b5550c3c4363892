"""Measure a network beside its rivals: everything runs in turn, on the same images, and medians count."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from seenn_convert.measure.latency import latency_of, queued
from seenn_convert.measure.peak_memory import peak_megabytes
from seenn_convert.measure.speed import Answers, Timed
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.runtime.backends.auto import MEASURED, step_seconds
from seenn_convert.runtime.backends.backend import Backend
from seenn_convert.runtime.engine import unroll
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.stopwatch import median_seconds

Logits = Callable[[Tensor], Tensor]

LOAD = 0.7
"""Requests arrive at this share of what the fastest way of running the spiking network can serve one at a time."""

SINGLE_ROUNDS = 10
"""How often the parts of a single image's run are measured at least."""


@dataclass(frozen=True, eq=False)
class Ways:
    """What runs in turn.

    Attributes:
        spiking: Runtime -> how the spiking network runs in it.
        ann: Runtime -> how the ANN runs in it, for a batch size.
        rows: How many rows of the spiking network run together where so many images come together.
        others: Name -> any other function of images that gives logits.
    """

    spiking: Mapping[str, Backend]
    ann: Mapping[str, Callable[[int], Logits]]
    rows: Callable[[int], int]
    others: Mapping[str, Logits] = field(default_factory=dict)


SPIKING, ANN, OTHER = "spiking", "ANN", ""


@dataclass(frozen=True, eq=False)
class _Way:
    """One way at one batch size; ``run`` returns predictions and exit steps, None for an ANN."""

    name: str
    runtime: str
    run: Callable[[Sequence[Tensor]], tuple[Tensor, Tensor | None]]
    model: Steppable | None
    rows: int


def measured(
    ways: Ways,
    images: Tensor,
    labels: Tensor | None,
    batches: Sequence[int],
    rounds: int,
    singles: int,
    progress: Progress = silent,
) -> tuple[tuple[Timed, ...], tuple[Answers, ...], float | None]:
    """Measure all ways at all batch sizes; return times, answers, and the requests per second under load.

    Args:
        ways: What runs.
        images: Preprocessed, ``(N, *input_shape)``.
        labels: ``(N,)``, None if they are not known.
        batches: Batch sizes; of size 1 only ``singles`` images run, one after the other.
        rounds: How often all of them run.
        singles: Images that run one at a time.
        progress: Told about each batch size.
    """
    counter, timed, answers, arrivals = Counter(progress, "measuring", len(batches)), list[Timed](), {}, None
    with torch.no_grad():
        for size in batches:
            count = min(singles, len(images)) if size == 1 else len(images)
            parts = [images[first : first + size] for first in range(0, count, size)]
            found = [_way(ways, name, runtime, size, count) for name, runtime in _names(ways)]
            times = _in_turn(found, parts, rounds if size > 1 else 1)
            for way in found:
                if way.name not in answers or size > 1:
                    answers[way.name] = times[way.name].answers
            rows = _timed(found, times, parts, size, rounds)
            if size == 1:
                arrivals, rows = _loaded(rows, times)
            timed += rows
            counter.add(1)
    return tuple(timed), _judged(answers, labels), arrivals


def _names(ways: Ways) -> list[tuple[str, str]]:
    kinds = ((SPIKING, ways.spiking), (ANN, ways.ann), (OTHER, ways.others))
    return [(kind, runtime) for kind, known in kinds for runtime in known]


def _way(ways: Ways, kind: str, runtime: str, size: int, count: int) -> _Way:
    name = f"{kind} {runtime}".strip()
    if kind != SPIKING:
        logits = ways.ann[runtime](size) if kind == ANN else ways.others[runtime]
        return _Way(name, runtime, lambda parts: (torch.cat([logits(p) for p in parts]).argmax(-1), None), None, size)
    backend, rows = ways.spiking[runtime], ways.rows(size)

    def run(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
        trace = backend.run(parts, rows, 1 if size == 1 else count)
        return trace.predictions, trace.exit_step

    return _Way(name, runtime, run, backend.model(1 if size == 1 else rows), rows)


@dataclass(eq=False)
class _Times:
    """Wall and processor seconds of each call, what came out, and the memory of the first call."""

    wall: list[float]
    processor: list[float]
    answers: tuple[Tensor, Tensor | None]
    peak: float | None


def _in_turn(ways: Sequence[_Way], parts: Sequence[Tensor], rounds: int) -> dict[str, _Times]:
    """Run all ways in turn: all parts in each round, or single images one by one."""
    calls = [[part] for part in parts] if len(parts[0]) == 1 else [list(parts)]
    found = {}
    for way in ways:  # what is prepared at the first call is no part of the times
        answers = way.run(calls[0])
        found[way.name] = _Times([], [], answers, peak_megabytes(partial(way.run, calls[0])))
    for number in range(rounds):
        said: dict[str, list[tuple[Tensor, Tensor | None]]] = {way.name: [] for way in ways}
        for place, call in enumerate(calls):
            turn = (number + place) % len(ways)
            for way in [*ways[turn:], *ways[:turn]]:
                wall, processor = time.perf_counter(), time.process_time()
                said[way.name].append(way.run(call))
                found[way.name].wall.append(time.perf_counter() - wall)
                found[way.name].processor.append(time.process_time() - processor)
        for name, parts_said in said.items():
            found[name].answers = _joined(parts_said)
    return found


def _joined(said: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    steps = [step for _, step in said if step is not None]
    return torch.cat([labels for labels, _ in said]), torch.cat(steps) if steps else None


def _timed(
    ways: Sequence[_Way], times: Mapping[str, _Times], parts: Sequence[Tensor], size: int, rounds: int
) -> list[Timed]:
    """Return what was measured of each way, with the parts of a run measured in turn."""
    images, parted = sum(map(len, parts)), _parts(ways, parts, rounds if size > 1 else max(rounds, SINGLE_ROUNDS))
    found = []
    for way in ways:
        own, step = times[way.name], parted.get(way.name)
        middle = statistics.median if size > 1 else statistics.mean
        each = images if size > 1 else 1
        wall, exits = middle(own.wall) / each, own.answers[1]
        average = None if exits is None else float(exits.double().mean())
        whole = None if way.model is None or step is None else step.full
        shared = (
            None if whole is None or average is None or way.model is None else average / way.model.timesteps * whole
        )
        pass_ = parted.get(f"{ANN} {way.runtime}")
        found.append(Timed(
            name=way.name,
            batch=size,
            rows=way.rows,
            milliseconds=1000 * wall,
            processor=1000 * middle(own.processor) / each,
            step=None if whole is None or step is None else 1000 * step.one,
            over_ann=None if whole is None or step is None or pass_ is None else step.one / pass_.one,
            average_timesteps=average,
            efficiency=None if shared is None else wall / shared,
            latency=latency_of(own.wall) if size == 1 else None,
            peak_megabytes=own.peak,
        ))  # fmt: skip
    return found


@dataclass(frozen=True)
class _Parts:
    """Seconds per image of one timestep or one forward pass, and of all timesteps."""

    one: float
    full: float


def _parts(ways: Sequence[_Way], parts: Sequence[Tensor], rounds: int) -> dict[str, _Parts]:
    """Return medians of one timestep and of the run of all timesteps without leaving, of a batch, in turn."""
    found: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for _ in range(max(rounds, 1)):
        for way in ways:
            image = parts[0][: way.rows]
            if way.model is None:
                seconds = median_seconds(partial(way.run, [image]), image.device, MEASURED)
                found[way.name].append((seconds / len(image), seconds / len(image)))
            else:
                full = _seconds(partial(_all_timesteps, way.model, image))
                found[way.name].append((step_seconds(way.model, image) / len(image), full / len(image)))
    return {
        name: _Parts(*(statistics.median(one[place] for one in both) for place in (0, 1)))
        for name, both in found.items()
    }


def _all_timesteps(model: Steppable, image: Tensor) -> None:
    rows = image.to(model.device, model.dtype)
    unroll(fast_step(model), model.drive(rows), own_start(model, len(rows)), model.timesteps)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _loaded(rows: Sequence[Timed], times: Mapping[str, _Times]) -> tuple[float | None, list[Timed]]:
    """Return the requests per second, and the rows with their latency under that load."""
    served = [row.images_per_second for row in rows if row.name.startswith(SPIKING)]
    if not served:
        return None, list(rows)
    arrivals = LOAD * max(served)
    return arrivals, [replace(row, under_load=queued(times[row.name].wall, arrivals)) for row in rows]


def _judged(answers: Mapping[str, tuple[Tensor, Tensor | None]], labels: Tensor | None) -> tuple[Answers, ...]:
    """Compare the answers with the labels, with the ANN's, and the exits with those in PyTorch."""
    ann, (_, exits) = answers.get(f"{ANN} eager"), answers.get(f"{SPIKING} eager", (None, None))
    return tuple(
        Answers(
            name=name,
            accuracy=None if labels is None else _same(said, labels),
            as_ann=None if ann is None else _same(said, ann[0]),
            same_exits=None if steps is None or exits is None else _same(steps, exits),
        )
        for name, (said, steps) in answers.items()
    )


def _same(ours: Tensor, theirs: Tensor) -> float:
    count = min(len(ours), len(theirs))
    return float((ours[:count] == theirs[:count].to(ours.device)).double().mean())
