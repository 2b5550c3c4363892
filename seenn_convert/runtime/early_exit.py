"""The early-exit loop: finished rows leave the batch, fresh rows take their place, and work is really saved."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.fresh_rows import Fresh, FreshRows
from seenn_convert.runtime.policies import ExitPolicy, Readout, reads_plan

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

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits ``(B, T)`` of a batch; asked for only where the exit policy reads a plan."""
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
    finished rows are removed. A sample's exit step and prediction do not depend on the others. Where the policy reads a
    plan, the policy head runs on fresh rows, and rows of one plan run together: they leave together, too.

    Args:
        model: A spiking model.
        batches: Images ``(B, *input_shape)``, any B.
        capacity: Rows that run together.
        policy: Who leaves when; the model's own where None.
        row_floor: Fewest rows in a batch; 1 is fastest for single images, but then results may differ from those of a
            larger batch by rounding.
        progress: Called with the number of samples that have just finished.

    Raises:
        InputError: ``capacity`` is below 1, or the policy reads a plan and the model has no policy head.
    """
    if capacity < 1:
        raise InputError(f"the capacity must be at least 1 row, got {capacity}")
    policy = policy or model.policy
    if None not in (policy.score_name, model.policy.score_name) and policy.score_name != model.policy.score_name:
        raise InputError(f"the exit policy reads '{policy.score_name}', the model computes '{model.policy.score_name}'")
    source = FreshRows(model, batches, row_floor, reads_plan(policy), capacity)
    rows = _Rows(model, source.take(capacity), row_floor)
    finished: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    while rows.any_alive():
        logits, score, t = rows.advance(model)
        leaving = policy.exits(Readout(logits, score, rows.planned), t, rows.index) | (t >= model.timesteps)
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


class _Rows:
    """The rows that run together: drives, state, which sample each is, its timesteps so far, whether it still runs.

    The timesteps are counted here too, in whole numbers: the clock in the state has the model's type of number, and
    bfloat16 cannot count beyond 256.
    """

    def __init__(self, model: Steppable, fresh: Fresh, row_floor: int) -> None:
        count = fresh.index.shape[0]
        self.drives = [pad_rows(drive, row_floor) for drive in fresh.drives]
        size = self.drives[0].shape[0] if self.drives else 0
        self.state = model.initial_state(size)
        self.alive = torch.arange(size, device=model.device) < count
        self.t = torch.zeros(size, dtype=torch.int64, device=model.device)
        self.index = pad_rows(fresh.index, size)
        self.planned = None if fresh.planned is None else pad_rows(fresh.planned, size)

    def any_alive(self) -> bool:
        return bool(self.alive.any())

    def advance(self, model: Steppable) -> tuple[Tensor, Tensor, Tensor]:
        logits, score, self.state = model.step(self.drives, self.state)
        self.t = self.t + 1
        return logits, score, self.t

    def refill(self, model: Steppable, source: FreshRows) -> None:
        """Put fresh samples into finished rows, in place: only those rows are written."""
        free = (~self.alive).nonzero().flatten()
        fresh = source.take(free.shape[0])
        if fresh.index.shape[0] == 0:
            return
        slots = free[: fresh.index.shape[0]]
        if len(slots) == len(self.alive):  # all of them: nothing of the old ones is needed
            self.drives, self.state = fresh.drives, model.initial_state(len(slots))
        else:
            for mine, new in zip(self.drives, fresh.drives, strict=True):
                mine[slots] = new
            for name, new in model.initial_state(1).items():
                self.state[name][slots] = new
        self.index[slots], self.t[slots], self.alive[slots] = fresh.index, 0, True
        if self.planned is not None and fresh.planned is not None:
            self.planned[slots] = fresh.planned

    def compact(self, row_floor: int) -> None:
        """Remove finished rows once they are a tenth of the batch, keeping at least ``row_floor`` rows.

        Where those that stay are the first ones, as the longest plans are, nothing is copied, and none has to wait.
        """
        alive = int(self.alive.sum())
        size = self.alive.shape[0]
        target = max(alive, min(row_floor, size))
        if alive == 0 or size == target:
            return
        if bool(self.alive[:alive].all()):
            self._keep(slice(target))
        elif size - target >= max(1, COMPACT_AT * size):
            self._keep(torch.argsort(~self.alive, stable=True)[:target])

    def _keep(self, rows: slice | Tensor) -> None:
        self.drives = [drive[rows] for drive in self.drives]
        self.state = {name: value[rows] for name, value in self.state.items()}
        self.index, self.t, self.alive = self.index[rows], self.t[rows], self.alive[rows]
        if self.planned is not None:
            self.planned = self.planned[rows]


def _trace(finished: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> ExitTrace:
    if not finished:
        empty = torch.zeros(0, dtype=torch.int64)
        return ExitTrace(empty, torch.zeros(0, 0), empty, torch.zeros(0))
    index, logits, score, t = (torch.cat(parts) for parts in zip(*finished, strict=True))
    order = torch.argsort(index)
    logits = logits[order]
    return ExitTrace(logits.argmax(dim=-1), logits, t[order], score[order])
