"""The early-exit loop: finished rows leave the batch, fresh rows take their place, and work is really saved."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.policies import ExitPolicy, Readout

COMPACT_AT = 0.1
"""Share of finished rows at which they are removed when no fresh rows are left; removing costs a copy of the state."""


@dataclass(frozen=True)
class ExitTrace:
    """What came out, a sample a row, in the order of the input.

    Attributes:
        predictions: ``(N,)`` int64 class.
        logits: ``(N, K)`` mean logits at the exit.
        exit_step: ``(N,)`` int64, 1-based timestep at which the sample left.
        confidence: ``(N,)`` exit score at the exit.
    """

    predictions: Tensor
    logits: Tensor
    exit_step: Tensor
    confidence: Tensor

    @property
    def average_timesteps(self) -> float:
        """Mean exit step."""
        return float(self.exit_step.double().mean())


class Steppable(Protocol):
    """What the loop needs of a model."""

    timesteps: int
    policy: ExitPolicy

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch."""
        ...

    def step(self, drives: Iterable[Tensor], state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Advance one timestep."""
        ...

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return the state of fresh rows."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Its floating-point type."""
        ...


def run_early_exit(
    model: Steppable,
    batches: Iterable[Tensor],
    capacity: int,
    policy: ExitPolicy | None = None,
    row_floor: int = ROW_FLOOR,
    progress: Callable[[int], None] | None = None,
) -> ExitTrace:
    """Run all images with early exit and return what came out, in the order of the input.

    The batch holds ``capacity`` rows. When samples finish, fresh ones take their rows; when no more come, the
    finished rows are removed. A sample's exit step and prediction do not depend on the others.

    Args:
        model: A spiking model.
        batches: Images ``(B, *input_shape)``, any B.
        capacity: Rows that run together.
        policy: Who leaves when; the model's own where None.
        row_floor: Fewest rows in a batch; 1 is fastest for single images, but then results may differ from those of a
            larger batch by rounding.
        progress: Called with the number of samples that have just finished.

    Raises:
        InputError: ``capacity`` is below 1.
    """
    if capacity < 1:
        raise InputError(f"the capacity must be at least 1 row, got {capacity}")
    policy = policy or model.policy
    if None not in (policy.score_name, model.policy.score_name) and policy.score_name != model.policy.score_name:
        raise InputError(f"the exit policy reads '{policy.score_name}', the model computes '{model.policy.score_name}'")
    source = _Source(model, batches, row_floor)
    rows = _Rows(model, *source.take(capacity), row_floor=row_floor)
    finished: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    while rows.any_alive():
        logits, score, t = rows.advance(model)
        leaving = policy.exits(Readout(logits, score), t, rows.index) | (t >= model.timesteps)
        leaving &= rows.alive
        if not bool(leaving.any()):
            continue
        finished.append((rows.index[leaving], logits[leaving], score[leaving], t[leaving]))
        rows.alive &= ~leaving
        if progress is not None:
            progress(int(leaving.sum()))
        rows.refill(model, source)
        rows.compact(row_floor)
    return _trace(finished)


class _Source:
    """Fresh rows: runs the stem on whole batches and hands out its drives row by row."""

    def __init__(self, model: Steppable, batches: Iterable[Tensor], row_floor: int) -> None:
        self.model, self.row_floor = model, row_floor
        self.batches: Iterator[Tensor] = iter(batches)
        self.drives: list[Tensor] = []
        self.position = 0
        self.served = 0

    def take(self, count: int) -> tuple[list[Tensor], Tensor]:
        """Return the drives of up to ``count`` fresh rows and their sample numbers."""
        parts: list[list[Tensor]] = []
        taken = 0
        while taken < count and self._ready():
            size = min(count - taken, self.drives[0].shape[0] - self.position)
            parts.append([drive[self.position : self.position + size] for drive in self.drives])
            self.position += size
            taken += size
        index = torch.arange(self.served, self.served + taken, device=self.model.device)
        self.served += taken
        return [torch.cat(pieces) for pieces in zip(*parts, strict=True)], index

    def _ready(self) -> bool:
        """Load the next batch where the present one is used up; False at the end of the data."""
        while not self.drives or self.position >= self.drives[0].shape[0]:
            image = next(self.batches, None)
            if image is None:
                self.drives = []
                return False
            image = image.to(self.model.device, self.model.dtype)
            padded = pad_rows(image, self.row_floor)
            self.drives = [drive[: image.shape[0]] for drive in self.model.drive(padded)]
            self.position = 0
        return True


class _Rows:
    """The rows that run together: drives, state, which sample each is, its timesteps so far, whether it still runs.

    The timesteps are counted here too, in whole numbers: the clock in the state has the model's type of number, and
    bfloat16 cannot count beyond 256.
    """

    def __init__(self, model: Steppable, drives: list[Tensor], index: Tensor, row_floor: int) -> None:
        count = index.shape[0]
        self.drives = [pad_rows(drive, row_floor) for drive in drives]
        size = self.drives[0].shape[0] if self.drives else 0
        self.state = model.initial_state(size)
        self.alive = torch.arange(size, device=model.device) < count
        self.t = torch.zeros(size, dtype=torch.int64, device=model.device)
        self.index = torch.zeros_like(self.t)
        self.index[:count] = index

    def any_alive(self) -> bool:
        return bool(self.alive.any())

    def advance(self, model: Steppable) -> tuple[Tensor, Tensor, Tensor]:
        logits, score, self.state = model.step(self.drives, self.state)
        self.t = self.t + 1
        return logits, score, self.t

    def refill(self, model: Steppable, source: _Source) -> None:
        """Put fresh samples into finished rows, in place: only those rows are written."""
        free = (~self.alive).nonzero().flatten()
        drives, index = source.take(free.shape[0])
        if index.shape[0] == 0:
            return
        slots = free[: index.shape[0]]
        for mine, fresh in zip(self.drives, drives, strict=True):
            mine[slots] = fresh
        for name, fresh in model.initial_state(1).items():
            self.state[name][slots] = fresh
        self.index[slots], self.t[slots], self.alive[slots] = index, 0, True

    def compact(self, row_floor: int) -> None:
        """Remove finished rows once they are a tenth of the batch, keeping at least ``row_floor`` rows."""
        alive = int(self.alive.sum())
        size = self.alive.shape[0]
        target = max(alive, min(row_floor, size))
        if alive == 0 or size - target < max(1, COMPACT_AT * size):
            return
        keep = torch.argsort(~self.alive, stable=True)[:target]
        self.drives = [drive[keep] for drive in self.drives]
        self.state = {name: value[keep] for name, value in self.state.items()}
        self.index, self.t, self.alive = self.index[keep], self.t[keep], self.alive[keep]


def _trace(finished: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> ExitTrace:
    if not finished:
        empty = torch.zeros(0, dtype=torch.int64)
        return ExitTrace(empty, torch.zeros(0, 0), empty, torch.zeros(0))
    index, logits, score, t = (torch.cat(parts) for parts in zip(*finished, strict=True))
    order = torch.argsort(index)
    logits = logits[order]
    return ExitTrace(logits.argmax(dim=-1), logits, t[order], score[order])
