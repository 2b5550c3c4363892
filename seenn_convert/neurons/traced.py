"""Neurons whose law is what was read from a user's own code."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seenn_convert.neurons.layers import Neuron


class TracedNeuron(Neuron):
    """A layer of neurons with a law of its own: arithmetic on each element, which fires 0 or 1.

    Args:
        v_threshold: 1, the size of a spike: the law keeps its threshold to itself.
        v_initial: The first of its states before the first timestep; the others start at zero.
        parts: Names of its states, as those of the network were called.
        law: ``law(current, *states) -> (spikes, *states_next)``.
    """

    options = ("parts",)
    alphabet = (0, 1)

    def __init__(self, v_threshold: Tensor, v_initial: Tensor, parts: Sequence[str], law: nn.Module) -> None:
        super().__init__(v_threshold, v_initial)
        self.parts, self.law = tuple(parts), law

    @property
    def state_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Its states."""
        return self.parts

    @property
    def spike(self) -> Tensor:
        """Size of a spike: 1."""
        return torch.ones_like(self.v_threshold)

    def forward(self, current: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return ``(spikes, *state_next)``, each ``(B, *F)``, in the order in memory of the current."""
        result: tuple[Tensor, ...] = self.law(current, *(_laid_out(value, current) for value in state))
        return result

    def extra_repr(self) -> str:
        """Show its states; the law is shown as what it holds."""
        return f"states={', '.join(self.parts)}"


def _laid_out(state: Tensor, current: Tensor) -> Tensor:
    """Return the state in the order in memory of the current: a law may begin its sums with either."""
    return state if state.stride() == current.stride() else torch.empty_like(current).copy_(state)
