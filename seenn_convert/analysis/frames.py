"""Whether a program reads recordings, whose frames vary in time, or still images."""

from seenn_convert.ir.operators import MeanOverFrames
from seenn_convert.ir.operators.step import FrameAt
from seenn_convert.ir.program import Program


def frames_of(program: Program) -> int | None:
    """Return how many frames a recording has that the program reads, None if its input is the same at every timestep.

    At stage ANN it reads their mean, at stage SNN one at each timestep.
    """
    reads = any(isinstance(module, (MeanOverFrames, FrameAt)) for _, module in program.calls())
    return program.input_shape[0] if reads else None
