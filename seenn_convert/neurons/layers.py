"""The layers of neurons a spiking step is made of.

Each takes its input current and its state and returns its output and the next state; none keeps anything.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from seenn_convert.neurons.law import (
    encoding_step,
    group_step,
    if_step,
    multilevel_encoding_step,
    multilevel_step,
    signed_step,
    tracking_step,
    unsigned_multilevel_step,
)
from seenn_convert.rows import NOTHING, Reuse, in_memory_order, nonzero_per_row, per_row

MOST_LEVELS, MOST_MEMBERS = 16, 256
"""The most levels of a multi-level neuron, whose largest spike is then 32,768 units; the most members of a group."""


class Neuron(nn.Module):
    """A layer of integrate-and-fire neurons; ``v_threshold`` and ``v_initial`` broadcast against one row ``(*F)``.

    ``state_names`` lists the state a neuron takes and returns, in order; ``v`` starts at ``v_initial``, the others
    at zero. ``alphabet`` lists the possible spikes in units of ``spike``, ascending; None if a spike is any whole
    number. A neuron with ``reads_clock`` takes the clock after its current; one with ``together`` stands for several
    that may fire at once; one that ``reuses`` takes, as ``reuse``, which of its inputs it may write over.
    ``options`` lists the other arguments of the constructor, each also an attribute, and ``tensors`` those that are
    tensors: with them a loaded artifact makes the layer again.
    """

    state_names: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[str, ...]] = ()
    tensors: ClassVar[tuple[str, ...]] = ("v_threshold", "v_initial")
    alphabet: tuple[int, ...] | None
    reads_clock: ClassVar[bool] = False
    together: ClassVar[bool] = False
    reuses: ClassVar[bool] = False
    v_threshold: Tensor
    v_initial: Tensor

    def __init__(self, v_threshold: Tensor, v_initial: Tensor) -> None:
        super().__init__()
        self.register_buffer("v_threshold", v_threshold.detach().clone())
        self.register_buffer("v_initial", v_initial.detach().clone())

    @property
    def bits_per_spike(self) -> int | None:
        """Bits needed to encode one spike of the alphabet; None if a spike is any whole number."""
        return None if self.alphabet is None else (len(self.alphabet) - 1).bit_length()

    @property
    def spike(self) -> Tensor:
        """Size of the smallest spike, broadcastable against one row: the threshold."""
        return self.v_threshold

    def spike_counts(self, output: Tensor) -> Tensor:
        """Return the spikes ``(B,)`` in ``output`` ``(B, *F)``; each costs an accumulate a connection."""
        return nonzero_per_row(output)

    def extra_repr(self) -> str:
        """Show the range of the thresholds."""
        low, high = self.v_threshold.min().item(), self.v_threshold.max().item()
        return f"v_threshold={low:.4g}" if low == high else f"v_threshold={low:.4g}..{high:.4g}"


class _ByLaw(Neuron):
    """A neuron whose step is ``law(current, *state, v_threshold, *options)``."""

    law: ClassVar[Callable[..., tuple[Tensor, ...]]]
    reuses = True

    def forward(self, current: Tensor, *state: Tensor, reuse: Reuse = NOTHING) -> tuple[Tensor, ...]:
        """Return ``(output, *state_next)``, each ``(B, *F)``."""
        options = (getattr(self, option) for option in self.options)
        return self.law(current, *state, self.v_threshold, *options, reuse=reuse)

    def extra_repr(self) -> str:
        """Show the range of the thresholds and the options."""
        return ", ".join([super().extra_repr(), *(f"{option}={getattr(self, option)}" for option in self.options)])


class BinaryNeuron(_ByLaw):
    """Fires 0 or +1."""

    law = staticmethod(if_step)
    state_names = ("v",)
    alphabet = (0, 1)


class SignedNeuron(_ByLaw):
    """Fires -1, 0 or +1; -1 only takes back a spike it has sent."""

    law = staticmethod(signed_step)
    state_names = ("v", "emitted")
    alphabet = (-1, 0, 1)


class _MultiLevel(_ByLaw):
    """A neuron whose spikes are 0 and powers of two up to ``2**(levels - 1)``, of either sign where it has both.

    Raises:
        ValueError: ``levels`` is not a whole number from 1 to ``MOST_LEVELS``.
    """

    options = ("levels",)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, levels: int) -> None:
        super().__init__(v_threshold, v_initial)
        self.levels = _whole("levels", levels, MOST_LEVELS)
        powers = [1 << level for level in range(levels)]
        self.alphabet = (*(-power for power in reversed(powers)), 0, *powers)


class MultiLevelNeuron(_MultiLevel):
    """Fires 0 or a power of two of either sign; a negative one only takes back what it has sent."""

    law = staticmethod(multilevel_step)
    state_names = ("v", "emitted")


class UnsignedMultiLevelNeuron(_MultiLevel):
    """Fires 0 or a power of two; it takes nothing back."""

    law = staticmethod(unsigned_multilevel_step)
    state_names = ("v",)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, levels: int) -> None:
        super().__init__(v_threshold, v_initial, levels)
        self.alphabet = (0, *(1 << level for level in range(levels)))


class _Group(_ByLaw):
    """Neurons with one membrane: a spike is any whole number of either sign up to ``members``, one for each that fires.

    Raises:
        ValueError: ``members`` is not a whole number from 1 to ``MOST_MEMBERS``.
    """

    together = True
    options = ("members",)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, members: int) -> None:
        super().__init__(v_threshold, v_initial)
        self.members = _whole("members", members, MOST_MEMBERS)
        self.alphabet = tuple(range(-members, members + 1))

    def spike_counts(self, output: Tensor) -> Tensor:
        """Return the spikes ``(B,)`` in ``output`` ``(B, *F)``: one for each member that fires."""
        units = torch.div(output, self.v_threshold).round_().abs_()
        return in_memory_order(units).flatten(1).sum(dim=1, dtype=torch.float64)


class GroupNeuron(_Group):
    """Fires any whole number up to ``members``; a negative one only takes back what it has sent."""

    law = staticmethod(group_step)
    state_names = ("v", "emitted")


class TrackingNeuron(Neuron):
    """Fires any whole number; its emitted sum is the rounded, rectified sum of its input at every timestep.

    ``maximum`` is where the activation it stands for is clipped, infinity if it is not.
    """

    state_names = ("v", "emitted")
    options = ("maximum",)
    alphabet = None
    reads_clock = True
    reuses = True

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, maximum: float = math.inf) -> None:
        super().__init__(v_threshold, v_initial)
        self.maximum = maximum

    def forward(
        self, current: Tensor, clock: Tensor, v: Tensor, emitted: Tensor, *, reuse: Reuse = NOTHING
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return ``(output, v_next, emitted_next)``, each ``(B, *F)``; ``clock`` ``(B,)`` counts the steps done."""
        most = None
        if self.maximum < math.inf:
            most = (per_row(clock + 1, current) * self.maximum / self.v_threshold + 0.5).floor()
        return tracking_step(current, v, emitted, self.v_threshold, most, reuse=reuse)


class EncodingNeuron(_ByLaw):
    """Sends a graded signal of either sign as spikes -1, 0 or +1; it rectifies nothing."""

    law = staticmethod(encoding_step)
    state_names = ("v",)
    alphabet = (-1, 0, 1)


class MultiLevelEncoder(_MultiLevel):
    """Sends a graded signal of either sign as powers of two of either sign."""

    law = staticmethod(multilevel_encoding_step)
    state_names = ("v",)


class GroupEncoder(_Group):
    """Sends a graded signal of either sign as up to ``members`` spikes at once, of either sign."""

    law = staticmethod(encoding_step)
    state_names = ("v",)


class TrackingEncoder(_ByLaw):
    """Sends a graded signal of either sign as whole numbers of spikes of either sign."""

    law = staticmethod(partial(encoding_step, most=None))
    state_names = ("v",)
    alphabet = None


LAYERS: tuple[type[Neuron], ...] = (
    BinaryNeuron, SignedNeuron, TrackingNeuron, MultiLevelNeuron, UnsignedMultiLevelNeuron, GroupNeuron,
    EncodingNeuron, TrackingEncoder, MultiLevelEncoder, GroupEncoder,
)  # fmt: skip
"""The layers that a program may hold without being told of them."""


def _whole(name: str, value: int, most: int) -> int:
    """Return ``value``; raises ValueError if it is not a whole number from 1 to ``most``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")
    return value
