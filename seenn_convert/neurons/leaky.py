"""The neurons that networks are trained with directly: leaky integrate-and-fire, spikes of size 1, several resets."""

import torch
from torch import Tensor

from seenn_convert.choices import RESET_NAMES, Reset
from seenn_convert.neurons.law import fired, leaky_charge, leaky_reset
from seenn_convert.neurons.layers import Neuron


class LeakyNeuron(Neuron):
    """Leaks, integrates and fires 0 or 1, whatever its threshold; every tensor broadcasts against one row ``(*F)``.

    Args:
        v_threshold: Firing threshold, positive.
        v_initial: Membrane potential before the first timestep.
        leak: What the membrane keeps of itself over a timestep, in [0, 1]; 1 for integrate-and-fire neurons.
        gain: What the input is multiplied by.
        v_rest: Where the membrane leaks to, and what a hard reset sets it to.
        reset: What a spike does to the membrane: ``"subtract"`` the threshold, set it to ``"rest"``, or ``"none"``.
        strict: Whether it takes more than the threshold to fire.
        delayed: Whether a spike resets the membrane only at the next timestep: a soft reset then comes behind the leak.
        owing: Whether a membrane that its reset left above the threshold is reset once more where the next timestep
            decides about firing, and for that alone: what follows the decision takes one reset less (snnTorch with
            ``reset_delay=False``).

    Raises:
        ValueError: There is no such reset, or it is both ``delayed`` and ``owing``.
    """

    state_names = ("v",)
    options = ("reset", "strict", "delayed", "owing")
    tensors = ("v_threshold", "v_initial", "leak", "gain", "v_rest")
    alphabet = (0, 1)
    leak: Tensor
    gain: Tensor
    v_rest: Tensor

    def __init__(
        self, v_threshold: Tensor, v_initial: Tensor, leak: Tensor, gain: Tensor, v_rest: Tensor,
        reset: Reset = "subtract", strict: bool = False, delayed: bool = False, owing: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(v_threshold, v_initial)
        for name, value in (("leak", leak), ("gain", gain), ("v_rest", v_rest)):
            self.register_buffer(name, value.detach().clone())
        if reset not in RESET_NAMES:
            raise ValueError(f"reset must be one of {', '.join(RESET_NAMES)}, got {reset!r}")
        if delayed and owing:
            raise ValueError("a reset is either delayed or owing")
        self.reset, self.strict, self.delayed, self.owing = reset, bool(strict), bool(delayed), bool(owing)

    @property
    def spike(self) -> Tensor:
        """Size of a spike: 1."""
        return torch.ones_like(self.v_threshold)

    def charged(self, current: Tensor, v: Tensor) -> Tensor:
        """Return the membrane potential that decides about firing, ``(B, *F)``."""
        if not (self.delayed or self.owing):
            return leaky_charge(current, v, self.leak, self.gain, self.v_rest)
        spikes = fired(v, self.v_threshold, self.strict)
        if self.reset == "subtract":
            return leaky_charge(current, v, self.leak, self.gain, self.v_rest) - spikes * self.v_threshold
        before = leaky_reset(v, spikes, self.v_threshold, self.v_rest, self.reset)
        return leaky_charge(current, before, self.leak, self.gain, self.v_rest)

    def after(self, charged: Tensor, v: Tensor, spikes: Tensor) -> Tensor:
        """Return what the membrane holds after ``spikes``, ``(B, *F)``; ``v`` is what it held before the timestep."""
        if self.delayed:
            return charged
        resets = spikes - fired(v, self.v_threshold, self.strict) if self.owing else spikes
        return leaky_reset(charged, resets, self.v_threshold, self.v_rest, self.reset)

    def forward(self, current: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(spikes, v_next)``, each ``(B, *F)``."""
        charged = self.charged(current, v)
        spikes = fired(charged, self.v_threshold, self.strict)
        return spikes, self.after(charged, v, spikes)

    def extra_repr(self) -> str:
        """Show thresholds, leak and gain, and the options that are not defaults."""
        shown = [super().extra_repr(), *(f"{name}={_range(getattr(self, name))}" for name in ("leak", "gain"))]
        if bool((self.v_rest != 0).any()):
            shown.append(f"v_rest={_range(self.v_rest)}")
        shown.append(f"reset={self.reset}")
        return ", ".join([*shown, *(name for name in ("strict", "delayed", "owing") if getattr(self, name))])


def _range(values: Tensor) -> str:
    low, high = values.min().item(), values.max().item()
    return f"{low:.4g}" if low == high else f"{low:.4g}..{high:.4g}"
