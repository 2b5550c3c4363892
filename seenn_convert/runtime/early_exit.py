"""The early-exit loop: finished rows leave the batch, fresh rows take their place, and work is really saved."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.choices import COUNT, Range
from seenn_convert.errors import InputError, refuse
from seenn_convert.finite import check_logits_finite
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.engine import Drives, Results, State, unroll
from seenn_convert.runtime.fresh_rows import Fresh, FreshRows, Steppable
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


def run_early_exit(
    model: Steppable,
    batches: Iterable[Tensor],
    capacity: int,
    policy: ExitPolicy | None = None,
    row_floor: int = ROW_FLOOR,
    progress: Callable[[int], None] | None = None,
    price: float | None = None,
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
        price: Of a timestep, taken off the plan logits; None leaves the plan as it is.

    Raises:
        InputError: a number is out of range, the policy reads a plan and the model has no policy head, or an image or
            its logits are NaN or infinite; names the image.
    """
    refuse([
        *COUNT.problems("the capacity of rows", capacity),
        *COUNT.problems("the row floor", row_floor),
        *(Range().problems("the price of a timestep", price) if price is not None else ()),
    ])  # fmt: skip
    policy = policy or model.policy
    if None not in (policy.score_name, model.policy.score_name) and policy.score_name != model.policy.score_name:
        raise InputError(f"the exit policy reads '{policy.score_name}', the model computes '{model.policy.score_name}'")
    source = FreshRows(model, batches, row_floor, reads_plan(policy), capacity, price)
    fresh = source.take(capacity)
    padded = fresh.each(lambda rows: pad_rows(rows, row_floor))
    rows = _Rows(model, policy, source, padded, len(fresh.index), row_floor, progress)
    if len(fresh.index):
        unroll(model.step, padded.drives, model.initial_state(len(rows.index)), None, scheduler=rows)
    return _trace(rows.finished)


class _Rows:
    """The scheduler: which sample each row is, its timesteps so far, whether it still runs, and what has finished.

    The timesteps are counted here too, in whole numbers: the clock in the state has the model's type of number, and
    bfloat16 cannot count beyond 256.
    """

    def __init__(
        self,
        model: Steppable,
        policy: ExitPolicy,
        source: FreshRows,
        fresh: Fresh,
        count: int,
        row_floor: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.model, self.policy, self.source, self.row_floor, self.progress = model, policy, source, row_floor, progress
        self.index, self.planned = fresh.index, fresh.planned
        self.alive = torch.arange(len(self.index), device=model.device) < count
        self.t = torch.zeros_like(self.index)
        self.finished: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def __call__(self, results: Results, drives: Drives, state: State) -> tuple[Drives, State] | None:
        """Let rows leave; where any do, take fresh ones in and remove what is left over."""
        logits, score = results
        self.t = self.t + 1
        leaving = self.policy.exits(Readout(logits, score, self.planned), self.t, self.index)
        leaving = (leaving | (self.t >= self.model.timesteps)) & self.alive
        if not bool(leaving.any()):
            return drives, state
        self.finished.append((self.index[leaving], logits[leaving], score[leaving], self.t[leaving]))
        self.alive &= ~leaving
        if self.progress is not None:
            self.progress(int(leaving.sum()))
        return self._compacted(*self._refilled(drives, state))

    def _refilled(self, drives: Drives, state: State) -> tuple[Drives, State]:
        """Put fresh samples into finished rows, in place: only those rows are written."""
        free = (~self.alive).nonzero().flatten()
        fresh = self.source.take(free.shape[0])
        if fresh.index.shape[0] == 0:
            return drives, state
        slots = free[: fresh.index.shape[0]]
        if len(slots) == len(self.alive):  # all of them: nothing of the old ones is needed
            drives, state = fresh.drives, self.model.initial_state(len(slots))
        else:
            for mine, new in zip(drives, fresh.drives, strict=True):
                mine[slots] = new
            for name, new in self.model.initial_state(1).items():
                state[name][slots] = new
        self.index[slots], self.t[slots], self.alive[slots] = fresh.index, 0, True
        if self.planned is not None and fresh.planned is not None:
            self.planned[slots] = fresh.planned
        return drives, state

    def _compacted(self, drives: Drives, state: State) -> tuple[Drives, State] | None:
        """Remove finished rows once they are a tenth of the batch, keeping at least the floor; None where all finished.

        Where those that stay are the first ones, as the longest plans are, nothing is copied, and none has to wait.
        """
        alive = int(self.alive.sum())
        if alive == 0:
            return None
        size = self.alive.shape[0]
        target = max(alive, min(self.row_floor, size))
        if size == target:
            return drives, state
        if bool(self.alive[:alive].all()):
            return self._kept(slice(target), drives, state)
        if size - target >= max(1, COMPACT_AT * size):
            return self._kept(torch.argsort(~self.alive, stable=True)[:target], drives, state)
        return drives, state

    def _kept(self, rows: slice | Tensor, drives: Drives, state: State) -> tuple[Drives, State]:
        self.index, self.t, self.alive = self.index[rows], self.t[rows], self.alive[rows]
        if self.planned is not None:
            self.planned = self.planned[rows]
        return [drive[rows] for drive in drives], {name: value[rows] for name, value in state.items()}


def _trace(finished: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> ExitTrace:
    if not finished:
        empty = torch.zeros(0, dtype=torch.int64)
        return ExitTrace(empty, torch.zeros(0, 0), empty, torch.zeros(0))
    index, logits, score, t = (torch.cat(parts) for parts in zip(*finished, strict=True))
    order = torch.argsort(index)
    logits = logits[order]
    check_logits_finite(logits, index[order].tolist())
    return ExitTrace(logits.argmax(dim=-1), logits, t[order], score[order])
