"""Operators of networks that were trained as spiking ones: every value in them is that of a single timestep."""

from dataclasses import dataclass

from torch import Tensor, nn

from seenn_convert.ir.operators.basic import ConstantRow, Operator


@dataclass(eq=False, repr=False)
class FirstSpikes(Operator):
    """What a layer of neurons sends at the first timestep; in the step, the neurons themselves stand here.

    So a program of stage ANN computes the first timestep of a network that was trained as a spiking one.
    """

    neuron: nn.Module

    def forward(self, current: Tensor) -> Tensor:
        """Return the spikes ``(B, *F)`` of a single timestep from the initial state."""
        others = len(self.neuron.state_names) - 1  # type: ignore[arg-type]
        state = [self.neuron.get_buffer("v_initial"), *[current.new_zeros(())] * others]
        spikes: Tensor = self.neuron(current, *(value.expand_as(current) for value in state))[0]
        return spikes


@dataclass(eq=False, repr=False)
class FirstState(ConstantRow):
    """A state of a network before its first timestep; in the step, the state itself stands here.

    ``place`` is its number among the states; ``KeepState`` has what it becomes at that place. It may hold ``spikes`` of
    the timestep before, which are 0 or 1.
    """

    place: int = 0
    spikes: bool = False


@dataclass(eq=False, repr=False)
class HeldState(Operator):
    """A state of the step as it stands, maybe ``spikes``; ``value`` is what it is before the first timestep."""

    value: Tensor
    spikes: bool = False

    def forward(self, state: Tensor) -> Tensor:
        """Return ``state``."""
        return state

    def extra_repr(self) -> str:
        """Show the shape."""
        return f"shape={tuple(self.value.shape)}"


class KeepState(Operator):
    """What a network returns, beside what its first states become, one after the other in the order of their places."""

    def forward(self, output: Tensor, *following: Tensor) -> Tensor:
        """Return ``output``."""
        return output


@dataclass(eq=False, repr=False)
class EachStep(Operator):
    """An operator that acts on the values of each timestep as they stand, as the network was trained."""

    operator: nn.Module

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return what the operator gives for the values of this timestep."""
        result: Tensor = self.operator(*inputs)
        return result


@dataclass(eq=False, repr=False)
class Latest(Operator):
    """Emit, at each step, what makes the mean over the timesteps the latest value: for a readout that is no mean."""

    def forward(self, value: Tensor, clock: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``(t * value - (t - 1) * previous, value)``, each ``(B, K)``; ``clock`` ``(B,)`` counts steps done."""
        steps = clock.unsqueeze(-1)
        return (steps + 1) * value - steps * previous, value
