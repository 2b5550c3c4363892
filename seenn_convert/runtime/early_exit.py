"""The early-exit loop: finished rows leave the batch, fresh rows take their place, and work is really saved."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seenn_convert.choices import COUNT, Range
from seenn_convert.errors import InputError, refuse
from seenn_convert.finite import check_logits_finite
from seenn_convert.rows import ROW_FLOOR, each_number_apart, pad_rows
from seenn_convert.runtime.engine import Drives, Results, State, unroll
from seenn_convert.runtime.fresh_rows import Fresh, FreshRows, Steppable
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.policies import ExitPolicy, Readout, reads_plan

COMPACT_AT = 0.1
"""Share of finished rows at which they are removed when no fresh rows are left; removing costs a copy of the state."""


@dataclass(frozen=True, eq=False)
class ExitTrace:
    """What came out, a sample a row, in the order of the input; indexed and iterated like a list of samples.

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
        """Mean exit step; NaN without a sample."""
        return float(self.exit_step.double().mean())

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.predictions)

    def __getitem__(self, samples: int | slice | Sequence[int] | Tensor) -> "ExitTrace":
        """Return the trace of some samples, or of one."""
        chosen: Any = [samples] if isinstance(samples, int) else samples
        parts = (self.predictions, self.logits, self.exit_step, self.confidence)
        return ExitTrace(*(part[chosen] for part in parts))

    def __repr__(self) -> str:
        """Return how many samples there are, and how they left."""
        return (
            f"ExitTrace({len(self)} samples of {self.logits.shape[-1]} classes, "
            f"{self.average_timesteps:.2f} timesteps on average: predictions, logits, exit_step, confidence)"
        )


def run_early_exit(
    model: Steppable,
    batches: Iterable[Tensor] | Tensor,
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
        batches: Images ``(B, *input_shape)``, any B; a single tensor is one batch.
        capacity: Rows that run together.
        policy: Who leaves when; the model's own where None.
        row_floor: Fewest rows in a batch; 1 is fastest for single images, but then results may differ from those of a
            larger batch by rounding.
        progress: Called with the number of samples that have just finished.
        price: Of a timestep, taken off the plan logits; None leaves the plan as it is.

    Raises:
        InputError: A number is out of range, a batch is no tensor of floating-point numbers, the policy reads a plan
            and the model has no policy head, or an image or its logits are NaN or infinite; names the image.
    """
    refuse([
        *COUNT.problems("the capacity of rows", capacity),
        *COUNT.problems("the row floor", row_floor),
        *(Range().problems("the price of a timestep", price) if price is not None else ()),
    ])  # fmt: skip
    policy = policy or model.policy
    if None not in (policy.score_name, model.policy.score_name) and policy.score_name != model.policy.score_name:
        raise InputError(f"the exit policy reads '{policy.score_name}', the model computes '{model.policy.score_name}'")
    if not hasattr(model, "step"):
        raise InputError(f"a {type(model).__name__} does not run by itself; give a spiking model (artifact.model())")
    batches = [batches] if isinstance(batches, Tensor) else batches
    source = FreshRows(model, batches, row_floor, reads_plan(policy), capacity, price)
    fresh = source.take(capacity)
    padded = fresh.each(lambda rows: pad_rows(rows, row_floor))
    rows = _Rows(model, policy, source, padded, len(fresh.index), row_floor, progress)
    if len(fresh.index):
        unroll(fast_step(model), padded.drives, own_start(model, len(rows.index)), None, scheduler=rows)
    return _trace(rows.finished) if rows.finished else _nothing(model)


class _Rows:
    """The scheduler: which sample each row is, its timesteps so far, whether it still runs, and what has finished.

    The timesteps are counted here too, in whole numbers: the clock in the state has the model's type of number, and
    bfloat16 cannot count beyond 256.

    All decisions are made on the device. The processor learns one number in a timestep, how many rows leave, and
    waits for the device once for it; where they are it need not know.
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
        self.running = count
        self.t = torch.zeros_like(self.index)
        self.finished: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def __call__(self, results: Results, drives: Drives, state: State) -> tuple[Drives, State] | None:
        """Let rows leave; where any do, take fresh ones in and remove what is left over."""
        logits, score = results
        self.t = self.t + 1
        leaving = self.policy.exits(Readout(logits, score, self.planned), self.t, self.index)
        leaving = (leaving | (self.t >= self.model.timesteps)) & self.alive
        count = int(leaving.sum())
        if count == 0:
            return drives, state
        rows = _first_of(leaving, count)
        self.finished.append((self.index[rows], logits[rows], score[rows], self.t[rows]))
        self.alive &= ~leaving
        self.running -= count
        if self.progress is not None:
            self.progress(count)
        return self._compacted(*self._refilled(drives, state))

    def _refilled(self, drives: Drives, state: State) -> tuple[Drives, State]:
        """Put fresh samples into finished rows, in place: only those rows are written."""
        fresh = self.source.take(len(self.alive) - self.running)
        if len(fresh.index) == 0:
            return drives, state
        slots = _first_of(~self.alive, len(fresh.index))
        self.running += len(slots)
        if len(slots) == len(self.alive):  # all of them: nothing of the old ones is needed
            drives, state = fresh.drives, own_start(self.model, len(slots))
        else:
            drives, state = _apart(drives, state)
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
        if self.running == 0:
            return None
        size = len(self.alive)
        target = max(self.running, min(self.row_floor, size))
        if size == target:
            return drives, state
        if bool(self.alive[: self.running].all()):
            return self._kept(slice(target), drives, state)
        if size - target >= max(1, COMPACT_AT * size):
            return self._kept(_first_of(self.alive, target), drives, state)
        return drives, state

    def _kept(self, rows: slice | Tensor, drives: Drives, state: State) -> tuple[Drives, State]:
        self.index, self.t, self.alive = self.index[rows], self.t[rows], self.alive[rows]
        if self.planned is not None:
            self.planned = self.planned[rows]
        return [drive[rows] for drive in drives], {name: value[rows] for name, value in state.items()}


def _apart(drives: Drives, state: State) -> tuple[Drives, State]:
    """Return the same, each in memory of its own: a step may hand on a drive, or one tensor as two states."""
    known: set[int] = set()

    def own(value: Tensor) -> Tensor:
        memory = value.untyped_storage()._cdata
        if memory in known or not each_number_apart(value):
            return value.clone()
        known.add(memory)
        return value

    return [own(drive) for drive in drives], {name: own(value) for name, value in state.items()}


def _first_of(mask: Tensor, count: int) -> Tensor:
    """Return ``count`` places, first those where ``mask`` ``(B,)`` is true. Their number is known, so nobody waits."""
    return torch.argsort(~mask, stable=True)[:count]


def _trace(finished: Sequence[tuple[Tensor, Tensor, Tensor, Tensor]]) -> ExitTrace:
    index, logits, score, t = (torch.cat(parts) for parts in zip(*finished, strict=True))
    order = torch.argsort(index)
    logits = logits[order]
    check_logits_finite(logits, index[order].tolist())
    return ExitTrace(logits.argmax(dim=-1), logits, t[order], score[order])


def _nothing(model: Steppable) -> ExitTrace:
    """Return the trace of no sample, which has the model's classes, type of number and device."""
    empty, numbers = (torch.zeros(0, dtype=dtype, device=model.device) for dtype in (torch.int64, model.dtype))
    readout = model.initial_state(1).get("readout", numbers)
    return ExitTrace(empty, numbers.new_zeros(0, readout.shape[-1]), empty, numbers)
