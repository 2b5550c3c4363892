"""The backend ``compiled``: stem and step compiled by PyTorch for one number of rows, and kept for later processes."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.progress import Progress, silent
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.backends.cache import cache_folder
from seenn_convert.runtime.backends.graphs import CompiledGraph, Run
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.engine import Drives, State
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.policies import ExitPolicy
from seenn_convert.runtime.spiking_model import SpikingModel


@dataclass(frozen=True, eq=False)
class CompiledModel:
    """A spiking model whose stem and step are compiled for ``rows`` rows; other numbers are filled up, or cut in parts.

    Images, drives and state are handed over channels last, so one compilation serves the first and all later steps.
    """

    original: SpikingModel
    rows: int
    stem: Run
    step_graph: Run

    @property
    def timesteps(self) -> int:
        """The longest run T."""
        return self.original.timesteps

    @property
    def policy(self) -> ExitPolicy:
        """Who leaves when."""
        return self.original.policy

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.original.device

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of its state."""
        return self.original.dtype

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch."""
        self.original.check_image(image)
        return in_parts(self.stem, [image.to(self.device, self.dtype)], self.rows)

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)``; the policy head is not compiled."""
        return self.original.plan(image, drives)

    def step(self, drives: Drives, state: State) -> tuple[Tensor, Tensor, State]:
        """Advance one timestep; return mean logits, score, next state."""
        logits, score, *following = in_parts(self.step_graph, [*drives, *state.values()], self.rows)
        return logits, score, dict(zip(state, following, strict=True))

    def initial_state(self, batch_size: int) -> State:
        """Return the state of fresh rows."""
        return {name: settled(value) for name, value in self.original.initial_state(batch_size).items()}


def settled(value: Tensor) -> Tensor:
    """Return a value with the one order in memory that compiled code knows."""
    return value.contiguous(memory_format=torch.channels_last if value.dim() == 4 else torch.contiguous_format)


def in_parts(run: Run, values: Sequence[Tensor], rows: int) -> tuple[Tensor, ...]:
    """Run a graph that takes ``rows`` rows on any number of them."""
    count = len(values[0])
    if count == rows:
        return run(*map(settled, values))
    parts = []
    for first in range(0, count, rows):
        part = [value[first : first + rows] for value in values]
        found = run(*(settled(pad_rows(value, rows)) for value in part))
        parts.append([value[: len(part[0])] for value in found])
    return tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))


def rows_compiled(wanted: int) -> int:
    """Return for how many rows to compile: 1, or the power of two nearest to ``wanted``, at least the floor.

    So a network is compiled a few times in all, whatever batch sizes are asked for.
    """
    return 1 if wanted == 1 else max(ROW_FLOOR, 1 << round(math.log2(wanted)))


def compiled_graphs(model: SpikingModel, rows: int, cache: Path) -> tuple[CompiledGraph, CompiledGraph]:
    """Return stem and step, traced for ``rows`` rows."""
    image = torch.zeros(rows, *model.program.input_shape, dtype=model.dtype, device=model.device)
    with torch.no_grad():
        drives = [settled(drive) for drive in model.stem(settled(image))]
        state = [settled(value) for value in model.initial_state(rows).values()]
        stem = CompiledGraph(model.stem, [settled(image)], cache)
        return stem, CompiledGraph(model.step_graph, [*drives, *state], cache)


Check = Callable[[SpikingModel, Steppable], None]
"""Compares a compiled network with its original, and raises where they differ by more than rounding."""


@dataclass(frozen=True, eq=False)
class CompiledBackend:
    """Compiles a network when it is first asked for a number of rows, or loads what an earlier process compiled.

    Attributes:
        original: The network; it is not changed.
        check: Runs on what has just been compiled, before it is used.
        cache: Where compiled code is kept.
        progress: Told before something is compiled, which takes minutes.
    """

    original: SpikingModel
    check: Check
    cache: Path = field(default_factory=lambda: cache_folder() / "compiled")
    progress: Progress = silent
    ready: dict[int, CompiledModel] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)

    name = "compiled"

    def model(self, rows: int) -> CompiledModel:
        """Return the network compiled for about ``rows`` rows."""
        rows = rows_compiled(rows)
        with self.turn:  # threads that share the network wait for the one that compiles
            if rows not in self.ready:
                self.ready[rows] = self._prepared(rows)
        return self.ready[rows]

    def _prepared(self, rows: int) -> CompiledModel:
        """Compile or load the network; what has been compiled just now is checked, and not kept if that fails."""
        graphs = compiled_graphs(self.original, rows, self.cache)
        kept = all(graph.is_kept for graph in graphs)
        if not kept:
            self.progress("compiling, once", 0, 1)
        model = CompiledModel(self.original, rows, *(graph.run() for graph in graphs))
        if kept:
            return model
        try:
            self.check(self.original, model)
        except Exception:
            for graph in graphs:
                graph.discard()
            raise
        return model

    def is_kept(self, rows: int) -> bool:
        """Return whether running ``rows`` rows together compiles nothing."""
        rows = rows_compiled(rows)
        return rows in self.ready or all(graph.is_kept for graph in compiled_graphs(self.original, rows, self.cache))

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        """Run images with early exit; the batch keeps the number of rows that the code was compiled for."""
        model = self.model(1 if images == 1 else max(min(rows, images), ROW_FLOOR))
        return run_early_exit(model, batches, model.rows, row_floor=model.rows, progress=progress)
