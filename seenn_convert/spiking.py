"""The modules a spiking step is made of: neurons, temporal differences, the exit probe.

Each takes its input current and its state and returns its output and the next state; none keeps anything.
"""

from typing import ClassVar

from torch import Tensor, nn

from seenn_convert.neuron import if_step, signed_step
from seenn_convert.scores import SCORE_NAMES, ScoreName, score


class Neuron(nn.Module):
    """A layer of integrate-and-fire neurons; ``v_threshold`` and ``v_initial`` broadcast against one row ``(*F)``.

    ``state_names`` lists the state a neuron takes and returns, in order; ``v`` starts at ``v_initial``, the others
    at zero. ``alphabet`` lists what a spike may be, in units of the threshold.
    """

    state_names: ClassVar[tuple[str, ...]]
    alphabet: ClassVar[tuple[int, ...]]
    v_threshold: Tensor
    v_initial: Tensor

    def __init__(self, v_threshold: Tensor, v_initial: Tensor) -> None:
        super().__init__()
        self.register_buffer("v_threshold", v_threshold.detach().clone())
        self.register_buffer("v_initial", v_initial.detach().clone())

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


NEURON_KINDS: dict[str, type[Neuron]] = {"signed": SignedNeuron, "if": BinaryNeuron}


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


class TemporalDifference(nn.Module):
    """Emit, at each step, the change of ``t * f(mean input up to t)``, so the mean output is f of the mean input.

    For a homogeneous operator (max pooling) this is ``f(S_t) - f(S_{t-1})`` of the running sum ``S``.
    """

    def __init__(self, operator: nn.Module) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, current: Tensor, running_sum: Tensor, previous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, running_sum_next, value)``; ``previous`` is the last ``value``, zero at the start."""
        running_sum = running_sum + current
        value: Tensor = self.operator(running_sum)
        return value - previous, running_sum, value


class ExitProbe(nn.Module):
    """Turn the readout current into mean logits and the score that decides about leaving.

    Args:
        score_name: ``"confidence"`` or ``"entropy"``.
        temperatures: ``(T,)``, the softmax temperature at each timestep, positive.
    """

    temperatures: Tensor

    def __init__(self, score_name: ScoreName, temperatures: Tensor) -> None:
        super().__init__()
        if score_name not in SCORE_NAMES:
            raise ValueError(f"score_name must be one of {', '.join(SCORE_NAMES)}, got {score_name!r}")
        self.score_name = score_name
        self.register_buffer("temperatures", temperatures.detach().clone())

    def forward(self, current: Tensor, readout: Tensor, clock: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(logits (B, K), score (B,), readout_next (B, K))``.

        ``clock`` counts the steps each row has done, so rows of different age may share a batch.
        """
        readout = readout + current
        logits = readout / (clock + 1).unsqueeze(-1)
        step = clock.long().clamp(max=self.temperatures.shape[0] - 1)
        temperature = self.temperatures[step].unsqueeze(-1)
        return logits, score(self.score_name, logits, temperature), readout

    def extra_repr(self) -> str:
        """Show the score and the range of the temperatures."""
        low, high = self.temperatures.min().item(), self.temperatures.max().item()
        return f"{self.score_name}, temperatures={low:.3g}..{high:.3g}, T={self.temperatures.shape[0]}"


__all__ = [
    "NEURON_KINDS", "BinaryNeuron", "ExitProbe", "Neuron", "SignedNeuron", "TemporalDifference", "Tick", "TimestepBias",
]  # fmt: skip
