"""What a spiking step holds beside neurons and operators: frames, the clock, temporal differences, the exit probe.

Each takes its input current and its state and returns its output and the next state; none keeps anything.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from seenn_convert.ir.operators.basic import Operator
from seenn_convert.ir.scores import Evidence, ExitScore, next_run_length
from seenn_convert.rows import NOTHING, Reuse, into, per_row, summed


@dataclass(eq=False, repr=False)
class TimestepBias(Operator):
    """Add to the current a bias that depends on the timestep, one a channel; ``bias`` is ``(T, *broadcastable to F)``.

    Rows of different age may share a batch: ``clock`` ``(B,)`` counts the steps each row has done.

    Source: forward temporal bias correction, Wu et al. 2024 (FTBC).
    """

    bias: Tensor
    reuses: ClassVar[bool] = True

    def forward(self, current: Tensor, clock: Tensor, *, reuse: Reuse = NOTHING) -> Tensor:
        """Return the corrected current ``(B, *F)``."""
        bias = self.bias[clock.long().clamp(max=self.bias.shape[0] - 1)]
        return torch.add(current, bias, out=into(current, current, reuse.current))

    def extra_repr(self) -> str:
        """Show the number of timesteps."""
        return f"T={self.bias.shape[0]}"


class FrameAt(Operator):
    """Read the frame of each row's own timestep from a recording of N frames; behind the last, the first comes again.

    Rows of different age may share a batch, and all that a row reads at timestep t is its frame ``(t - 1) % N``.
    """

    def forward(self, frames: Tensor, clock: Tensor) -> Tensor:
        """Return ``(B, *F)`` of ``frames`` ``(B, N, *F)``; ``clock`` ``(B,)`` counts the steps each row has done."""
        rows = torch.arange(frames.shape[0], device=frames.device)
        return frames[rows, clock.long() % frames.shape[1]]


class Tick(Operator):
    """Advance the clock of every row by one timestep."""

    def forward(self, clock: Tensor) -> Tensor:
        """Return ``clock + 1``, ``(B,)``."""
        return clock + 1


@dataclass(eq=False, repr=False)
class TemporalDifference(Operator):
    """Emit, at each step, the change of ``f(S_t)`` of the running input sum ``S``, for a homogeneous operator ``f``.

    With ``f(t * x) = t * f(x)`` (max pooling) the mean output is then f of the mean input, at every timestep.
    """

    operator: nn.Module
    reuses: ClassVar[bool] = True

    def forward(
        self, current: Tensor, running_sum: Tensor, previous: Tensor, *, reuse: Reuse = NOTHING
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, running_sum_next, value)``; ``previous`` is the last ``value``, zero at the start."""
        following = summed(current, running_sum, reuse)
        value: Tensor = self.operator(following)
        return torch.sub(value, previous, out=into(previous, value, reuse.state)), following, value


class RectifiedDifference(Operator):
    """Emit, at each step, the change of ``relu(S_t)`` of the running input sum ``S``.

    As ``TemporalDifference`` of a ReLU; the value of the step before is computed again, which is cheaper than to keep
    it as a state of its own.
    """

    reuses: ClassVar[bool] = True

    def forward(self, current: Tensor, running_sum: Tensor, *, reuse: Reuse = NOTHING) -> tuple[Tensor, Tensor]:
        """Return ``(output, running_sum_next)``, each ``(B, *F)``."""
        following = summed(current, running_sum, reuse)
        before = torch.clamp_min(running_sum, 0, out=into(running_sum, following, reuse.state))
        return following.relu().sub_(before), following


@dataclass(eq=False, repr=False)
class ClippedDifference(Operator):
    """Emit, at each step, the change of ``min(max(S_t, 0), t * maximum)`` of the running input sum ``S``.

    As ``MeanDifference`` of a clipped ReLU, whose value is never infinite, without its division and with one state.
    """

    maximum: float
    reuses: ClassVar[bool] = True

    def forward(
        self, current: Tensor, clock: Tensor, running_sum: Tensor, *, reuse: Reuse = NOTHING
    ) -> tuple[Tensor, Tensor]:
        """Return ``(output, running_sum_next)``, each ``(B, *F)``; ``clock`` ``(B,)`` counts the steps done."""
        following = summed(current, running_sum, reuse)
        least, most = (per_row(steps * self.maximum, current) for steps in (clock, clock + 1))
        value = torch.minimum(following, most).relu_()  # twice as fast as to clamp between two tensors
        before = torch.minimum(running_sum, least, out=into(running_sum, following, reuse.state))
        return value.sub_(before.relu_()), following


@dataclass(eq=False, repr=False)
class MeanDifference(Operator):
    """Emit, at each step, the change of ``t * f(mean input up to t)``, so the mean output is f of the mean input.

    Where f has no finite value, as ``1 / x`` before the first spike, it emits nothing, and catches up when f has one.

    Args:
        operator: Any operator f of one or more inputs.
        varying: For each input, whether it changes in time; one that does not is its own mean.
    """

    operator: nn.Module
    varying: tuple[bool, ...] = (True,)
    reuses: ClassVar[bool] = True

    def forward(self, clock: Tensor, previous: Tensor, *inputs: Tensor, reuse: Reuse = NOTHING) -> tuple[Tensor, ...]:
        """Return ``(output, value, *sums_next)``.

        Args:
            clock: ``(B,)``, the steps each row has done.
            previous: ``(B, *G)``, the last ``value``, zero at the start.
            inputs: The operator's inputs at this step, then the running sum of each one that varies.
            reuse: Whether ``previous`` and the sums may be written over.
        """
        t, count = clock + 1, len(self.varying)
        sums, means, following = iter(inputs[count:]), [], []
        for current, varies in zip(inputs[:count], self.varying, strict=True):
            if varies:
                running = next(sums)
                following.append(torch.add(current, running, out=into(running, current, reuse.state)))
                means.append(following[-1] / per_row(t, current))
            else:
                means.append(current)
        result: Tensor = self.operator(*means)
        value = result * per_row(t, result)
        value = torch.where(value.isfinite(), value, previous)
        return torch.sub(value, previous, out=into(previous, value, reuse.state)), value, *following

    def extra_repr(self) -> str:
        """Show which inputs vary, where not all do."""
        return "" if all(self.varying) else f"varying={self.varying}"


class ExitProbe(nn.Module):
    """Turn the readout current into mean logits and the score that decides about leaving.

    Args:
        score: Computes it.
        temperatures: ``(T,)``, the softmax temperature at each timestep, positive.

    ``state_names`` lists the state it takes behind its current and gives back behind logits and score, but for the
    clock, which the step itself advances. The sum of the outputs ends at the type's most negative number: a class that
    is masked with it stays finite.
    """

    temperatures: Tensor

    def __init__(self, score: ExitScore, temperatures: Tensor) -> None:
        super().__init__()
        self.score = score
        self.register_buffer("temperatures", temperatures.detach().clone())

    @property
    def score_name(self) -> str:
        """Name of the score."""
        return self.score.name

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state: the sum of the outputs and, where the score reads it, the run length of the answer."""
        return ("readout", "run_length") if self.score.reads_run_length else ("readout",)

    def forward(
        self, current: Tensor, readout: Tensor, clock: Tensor, run_length: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return ``(logits (B, K), score (B,), readout_next (B, K))`` and, if given, the next ``run_length`` ``(B,)``.

        ``clock`` counts the steps each row has done, so rows of different age may share a batch.
        """
        readout_next, t = (readout + current).clamp_(min=torch.finfo(current.dtype).min), clock + 1
        logits = readout_next / t.unsqueeze(-1)
        step = clock.long().clamp(max=self.temperatures.shape[0] - 1)
        seen = Evidence(logits, self.temperatures[step].unsqueeze(-1), t)
        if run_length is None:
            if self.score.reads_run_length:
                raise ValueError(f"the score {self.score_name} needs the run length of the answer")
            return logits, self.score(seen), readout_next
        run_length = next_run_length(run_length, readout / clock.clamp(min=1).unsqueeze(-1), logits)
        return logits, self.score(seen._replace(run_length=run_length)), readout_next, run_length

    def extra_repr(self) -> str:
        """Show the score and the range of the temperatures."""
        low, high = self.temperatures.min().item(), self.temperatures.max().item()
        return f"{self.score_name}, temperatures={low:.3g}..{high:.3g}, T={self.temperatures.shape[0]}"
