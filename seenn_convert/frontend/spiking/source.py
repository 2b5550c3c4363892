"""A network that was trained as a spiking one, as it was read, and what the original does timestep by timestep."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from seenn_convert.ir.program import Program


@dataclass(frozen=True, eq=False)
class Recording:
    """What a network did with some inputs.

    Attributes:
        outputs: ``(T, B, K)``, what it returned at each timestep.
        seen: What else can be compared, by the name of a layer of neurons: its spikes ``(T, B, *F)``.
    """

    outputs: Tensor
    seen: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class SpikingSource:
    """A spiking network as it was read.

    Attributes:
        program: Its first timestep, at stage ANN.
        name: Class or factory of the module.
        record: Runs the original on inputs ``(B, *input_shape)`` for a number of timesteps.
        layers: Node of a layer of neurons -> its path in the original.
        notes: Sentences for the user.
    """

    program: Program
    name: str
    record: Callable[[Tensor, int], Recording]
    layers: dict[str, str]
    notes: tuple[str, ...] = ()
