"""A network that was trained as a spiking one, as it was read, and what the original does timestep by timestep."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.frontend.frames import mean_in_front
from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.program import Program


@dataclass(frozen=True, eq=False)
class Recording:
    """What a network did with some inputs.

    Attributes:
        outputs: ``(T, B, K)``, what it returned at each timestep.
        seen: What else can be compared, ``(T, B, *F)`` each: the spikes of a layer of neurons by the name of its node,
            or a state behind each timestep by that of its first state.
    """

    outputs: Tensor
    seen: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class SpikingSource:
    """A spiking network as it was read.

    Attributes:
        program: Its first timestep, at stage ANN.
        name: Class or factory of the module.
        record: Runs the original on what it reads at each timestep, ``(T, B, *F)``.
        layers: Node of a layer of neurons, or of a first state -> its path in the original.
        by_state: Whether states are compared, since the original has no layers of neurons to look at.
        notes: Sentences for the user.
    """

    program: Program
    name: str
    record: Callable[[Tensor], Recording]
    layers: dict[str, str]
    by_state: bool = False
    notes: tuple[str, ...] = ()

    def for_recordings(self, frames: int) -> "SpikingSource":
        """Return the network as one that reads recordings of so many ``frames``, one of them at each timestep."""
        note = (
            f"each input is a recording of {frames} frames, one for each timestep; an early exit has seen the first "
            "ones alone"
        )
        return replace(self, program=mean_in_front(self.program, frames), notes=(note, *self.notes))


def check_output(program: Program) -> None:
    """Raise InputError unless a program returns one number for each of two classes or more."""
    shape = shapes_of(program)["output"]
    if len(shape) != 1 or shape[0] < 2:
        raise InputError(
            f"the network returns {('B', *shape)} at each timestep; give one that returns one number per class, (B, K)"
        )
