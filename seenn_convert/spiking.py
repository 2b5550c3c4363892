"""The modules a spiking step is made of: neurons, temporal differences, the exit probe.

Each takes its input current and its state and returns its output and the next state; none keeps anything.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from seenn_convert.neuron import (
    encoding_step,
    group_step,
    if_step,
    multilevel_encoding_step,
    multilevel_step,
    signed_step,
    tracking_step,
    unsigned_multilevel_step,
)
from seenn_convert.scores import SCORE_NAMES, WITH_RUN_LENGTH, Evidence, ScoreName, next_run_length, score

MOST_LEVELS, MOST_MEMBERS = 16, 256
"""The most levels of a multi-level neuron, whose largest spike is then 32,768 units; the most members of a group."""


class Neuron(nn.Module):
    """A layer of integrate-and-fire neurons; ``v_threshold`` and ``v_initial`` broadcast against one row ``(*F)``.

    ``state_names`` lists the state a neuron takes and returns, in order; ``v`` starts at ``v_initial``, the others
    at zero. ``alphabet`` lists what a spike may be, in units of the threshold, ascending; None where it is any whole
    number.
    Where ``reads_clock`` holds, the neuron takes the clock behind its current.
    """

    state_names: ClassVar[tuple[str, ...]]
    alphabet: tuple[int, ...] | None
    reads_clock: ClassVar[bool] = False
    v_threshold: Tensor
    v_initial: Tensor

    def __init__(self, v_threshold: Tensor, v_initial: Tensor) -> None:
        super().__init__()
        self.register_buffer("v_threshold", v_threshold.detach().clone())
        self.register_buffer("v_initial", v_initial.detach().clone())

    @property
    def bits_per_spike(self) -> int | None:
        """How many bits tell one spike of the alphabet from the others; None where a spike is any whole number."""
        return None if self.alphabet is None else (len(self.alphabet) - 1).bit_length()

    def spike_counts(self, output: Tensor) -> Tensor:
        """Return the spikes ``(B,)`` in ``output`` ``(B, *F)``; each costs an accumulate a connection."""
        return torch.count_nonzero(output.flatten(1), dim=1).double()

    def extra_repr(self) -> str:
        """Show the range of the thresholds."""
        low, high = self.v_threshold.min().item(), self.v_threshold.max().item()
        return f"v_threshold={low:.4g}" if low == high else f"v_threshold={low:.4g}..{high:.4g}"


class BinaryNeuron(Neuron):
    """Fires 0 or +1."""

    state_names = ("v",)
    alphabet = (0, 1)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return if_step(current, v, self.v_threshold)


class SignedNeuron(Neuron):
    """Fires -1, 0 or +1; -1 only takes back a spike it has sent."""

    state_names = ("v", "emitted")
    alphabet = (-1, 0, 1)

    def forward(self, current: Tensor, v: Tensor, emitted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, v_next, emitted_next)``, each ``(B, *F)``."""
        return signed_step(current, v, emitted, self.v_threshold)


class _MultiLevel(Neuron):
    """A neuron whose spikes are 0 and powers of two up to ``2**(levels - 1)``, of either sign where it has both.

    Raises:
        ValueError: ``levels`` is not a whole number from 1 to ``MOST_LEVELS``.
    """

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, levels: int) -> None:
        super().__init__(v_threshold, v_initial)
        self.levels = _whole("levels", levels, MOST_LEVELS)
        powers = [1 << level for level in range(levels)]
        self.alphabet = (*(-power for power in reversed(powers)), 0, *powers)

    def extra_repr(self) -> str:
        """Show the range of the thresholds and the levels."""
        return f"{super().extra_repr()}, levels={self.levels}"


class MultiLevelNeuron(_MultiLevel):
    """Fires 0 or a power of two of either sign; a negative one only takes back what it has sent."""

    state_names = ("v", "emitted")

    def forward(self, current: Tensor, v: Tensor, emitted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, v_next, emitted_next)``, each ``(B, *F)``."""
        return multilevel_step(current, v, emitted, self.v_threshold, self.levels)


class UnsignedMultiLevelNeuron(_MultiLevel):
    """Fires 0 or a power of two; it takes nothing back."""

    state_names = ("v",)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, levels: int) -> None:
        super().__init__(v_threshold, v_initial, levels)
        self.alphabet = (0, *(1 << level for level in range(levels)))

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return unsigned_multilevel_step(current, v, self.v_threshold, self.levels)


class _Group(Neuron):
    """Neurons with one membrane: a spike is any whole number of either sign up to ``members``, one for each that fires.

    Raises:
        ValueError: ``members`` is not a whole number from 1 to ``MOST_MEMBERS``.
    """

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, members: int) -> None:
        super().__init__(v_threshold, v_initial)
        self.members = _whole("members", members, MOST_MEMBERS)
        self.alphabet = tuple(range(-members, members + 1))

    def spike_counts(self, output: Tensor) -> Tensor:
        """Return the spikes ``(B,)`` in ``output`` ``(B, *F)``: one for each member that fires."""
        units = torch.div(output, self.v_threshold).round_().abs_()
        return units.flatten(1).sum(dim=1, dtype=torch.float64)

    def extra_repr(self) -> str:
        """Show the range of the thresholds and the members."""
        return f"{super().extra_repr()}, members={self.members}"


class GroupNeuron(_Group):
    """Fires any whole number up to ``members``; a negative one only takes back what it has sent."""

    state_names = ("v", "emitted")

    def forward(self, current: Tensor, v: Tensor, emitted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, v_next, emitted_next)``, each ``(B, *F)``."""
        return group_step(current, v, emitted, self.v_threshold, self.members)


class TrackingNeuron(Neuron):
    """Fires any whole number; its emitted sum is the rounded, rectified sum of its input at every timestep.

    ``maximum`` is where the activation it stands for is clipped, infinity where it is not.
    """

    state_names = ("v", "emitted")
    alphabet = None
    reads_clock = True

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, maximum: float = math.inf) -> None:
        super().__init__(v_threshold, v_initial)
        self.maximum = maximum

    def forward(self, current: Tensor, clock: Tensor, v: Tensor, emitted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, v_next, emitted_next)``, each ``(B, *F)``; ``clock`` ``(B,)`` counts the steps done."""
        most = None
        if self.maximum < math.inf:
            most = (per_row(clock + 1, current) * self.maximum / self.v_threshold + 0.5).floor()
        return tracking_step(current, v, emitted, self.v_threshold, most)


class EncodingNeuron(Neuron):
    """Sends a graded signal of either sign as spikes -1, 0 or +1; it rectifies nothing."""

    state_names = ("v",)
    alphabet = (-1, 0, 1)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return encoding_step(current, v, self.v_threshold)


class MultiLevelEncoder(_MultiLevel):
    """Sends a graded signal of either sign as powers of two of either sign."""

    state_names = ("v",)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return multilevel_encoding_step(current, v, self.v_threshold, self.levels)


class GroupEncoder(_Group):
    """Sends a graded signal of either sign as up to ``members`` spikes at once, of either sign."""

    state_names = ("v",)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return encoding_step(current, v, self.v_threshold, most=self.members)


class TrackingEncoder(Neuron):
    """Sends a graded signal of either sign as whole numbers of spikes of either sign."""

    state_names = ("v",)
    alphabet = None

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, v_next)``, each ``(B, *F)``."""
        return encoding_step(current, v, self.v_threshold, most=None)


class TimestepBias(nn.Module):
    """Add to the current a bias that depends on the timestep, one a channel; ``bias`` is ``(T, *broadcastable to F)``.

    Rows of different age may share a batch: ``clock`` ``(B,)`` counts the steps each row has done.

    Source: forward temporal bias correction, Wu et al. 2024 (FTBC).
    """

    bias: Tensor

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias.detach().clone())

    def forward(self, current: Tensor, clock: Tensor) -> Tensor:
        """Return the corrected current ``(B, *F)``."""
        return current + self.bias[clock.long().clamp(max=self.bias.shape[0] - 1)]

    def extra_repr(self) -> str:
        """Show the number of timesteps."""
        return f"T={self.bias.shape[0]}"


class Tick(nn.Module):
    """Advance the clock of every row by one timestep."""

    def forward(self, clock: Tensor) -> Tensor:
        """Return ``clock + 1``, ``(B,)``."""
        return clock + 1


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Return ``values`` ``(B,)`` so that they broadcast against the rows of ``like`` ``(B, *F)``."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


class TemporalDifference(nn.Module):
    """Emit, at each step, the change of ``f(S_t)`` of the running input sum ``S``, for a homogeneous operator ``f``.

    With ``f(t * x) = t * f(x)`` (max pooling) the mean output is then f of the mean input, at every timestep.
    """

    def __init__(self, operator: nn.Module) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, current: Tensor, running_sum: Tensor, previous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, running_sum_next, value)``; ``previous`` is the last ``value``, zero at the start."""
        running_sum = current + running_sum
        value: Tensor = self.operator(running_sum)
        return value - previous, running_sum, value


class RectifiedDifference(nn.Module):
    """Emit, at each step, the change of ``relu(S_t)`` of the running input sum ``S``.

    As ``TemporalDifference`` of a ReLU; the value of the step before is computed again, which is cheaper than to keep
    it as a state of its own.
    """

    def forward(self, current: Tensor, running_sum: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(output, running_sum_next)``, each ``(B, *F)``."""
        following = current + running_sum
        return following.relu().sub_(running_sum.relu()), following


class MeanDifference(nn.Module):
    """Emit, at each step, the change of ``t * f(mean input up to t)``, so the mean output is f of the mean input.

    Where f has no finite value, as ``1 / x`` before the first spike, it emits nothing, and catches up when f has one.

    Args:
        operator: Any operator f of one or more inputs.
        varying: For each input, whether it changes in time; one that does not is its own mean.
    """

    def __init__(self, operator: nn.Module, varying: Sequence[bool] = (True,)) -> None:
        super().__init__()
        self.operator, self.varying = operator, tuple(varying)

    def forward(self, clock: Tensor, previous: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``(output, value, *sums_next)``.

        Args:
            clock: ``(B,)``, the steps each row has done.
            previous: ``(B, *G)``, the last ``value``, zero at the start.
            inputs: The operator's inputs at this step, then the running sum of each one that varies.
        """
        t, count = clock + 1, len(self.varying)
        sums, means, following = iter(inputs[count:]), [], []
        for current, varies in zip(inputs[:count], self.varying, strict=True):
            if varies:
                following.append(current + next(sums))
                means.append(following[-1] / per_row(t, current))
            else:
                means.append(current)
        result: Tensor = self.operator(*means)
        value = result * per_row(t, result)
        value = torch.where(value.isfinite(), value, previous)
        return value - previous, value, *following

    def extra_repr(self) -> str:
        """Show which inputs vary, where not all do."""
        return "" if all(self.varying) else f"varying={self.varying}"


class ExitProbe(nn.Module):
    """Turn the readout current into mean logits and the score that decides about leaving.

    Args:
        score_name: One of ``SCORE_NAMES``.
        temperatures: ``(T,)``, the softmax temperature at each timestep, positive.

    ``state_names`` lists the state it takes behind its current and gives back behind logits and score, but for the
    clock, which the step itself advances.
    """

    temperatures: Tensor

    def __init__(self, score_name: ScoreName, temperatures: Tensor) -> None:
        super().__init__()
        if score_name not in SCORE_NAMES:
            raise ValueError(f"score_name must be one of {', '.join(SCORE_NAMES)}, got {score_name!r}")
        self.score_name = score_name
        self.register_buffer("temperatures", temperatures.detach().clone())

    @property
    def state_names(self) -> tuple[str, ...]:
        """The state: the sum of the outputs and, where the score reads it, the run length of the answer."""
        return ("readout", "run_length") if self.score_name in WITH_RUN_LENGTH else ("readout",)

    def forward(
        self, current: Tensor, readout: Tensor, clock: Tensor, run_length: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return ``(logits (B, K), score (B,), readout_next (B, K))`` and, if given, the next ``run_length`` ``(B,)``.

        ``clock`` counts the steps each row has done, so rows of different age may share a batch.
        """
        readout_next, t = readout + current, clock + 1
        logits = readout_next / t.unsqueeze(-1)
        step = clock.long().clamp(max=self.temperatures.shape[0] - 1)
        seen = Evidence(logits, self.temperatures[step].unsqueeze(-1), t)
        if run_length is None:
            if self.score_name in WITH_RUN_LENGTH:
                raise ValueError(f"the score {self.score_name} needs the run length of the answer")
            return logits, score(self.score_name, seen), readout_next
        run_length = next_run_length(run_length, readout / clock.clamp(min=1).unsqueeze(-1), logits)
        return logits, score(self.score_name, seen._replace(run_length=run_length)), readout_next, run_length

    def extra_repr(self) -> str:
        """Show the score and the range of the temperatures."""
        low, high = self.temperatures.min().item(), self.temperatures.max().item()
        return f"{self.score_name}, temperatures={low:.3g}..{high:.3g}, T={self.temperatures.shape[0]}"


def _whole(name: str, value: int, most: int) -> int:
    """Return ``value``; raises ValueError where it is not a whole number from 1 to ``most``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")
    return value


__all__ = [
    "MOST_LEVELS", "MOST_MEMBERS", "BinaryNeuron", "EncodingNeuron", "ExitProbe", "GroupEncoder", "GroupNeuron",
    "MeanDifference", "MultiLevelEncoder", "MultiLevelNeuron", "Neuron", "RectifiedDifference", "SignedNeuron",
    "TemporalDifference", "Tick", "TimestepBias", "TrackingEncoder", "TrackingNeuron", "UnsignedMultiLevelNeuron",
]  # fmt: skip
