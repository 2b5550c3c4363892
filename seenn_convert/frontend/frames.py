"""Read a model of single frames for recordings: its ANN then sees the mean of the frames."""

from dataclasses import replace

from seenn_convert.data.events import FRAME_AXES
from seenn_convert.frontend.source import Source
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import MeanOverFrames
from seenn_convert.ir.program import Program

MEAN_FRAME = "mean_frame"
"""Name of the node that takes the mean of the frames."""


def for_recordings(source: Source, frames: int) -> Source:
    """Return a model of single frames ``(*F)`` as one of recordings ``(frames, *F)``, by the mean of their frames."""
    note = (
        f"each input is a recording of {frames} frames: the ANN sees their mean, the spiking network one frame at each "
        "timestep, so an early exit has seen the first ones alone"
    )
    program = mean_in_front(source.program, frames)
    return replace(source, program=program, single=source, notes=(note, *source.notes))


def mean_in_front(program: Program, frames: int) -> Program:
    """Return an ANN of single frames as one of recordings of so many ``frames``: it reads their mean."""
    draft = Draft(program)
    image = next(node for node in draft.graph.nodes if node.op == "placeholder")
    mean = draft.insert_after(image, MEAN_FRAME, MeanOverFrames(), [image])
    image.replace_all_uses_with(mean, delete_user_cb=lambda user: user is not mean)
    return replace(draft.finish("MeanInFront"), input_shape=(frames, *program.input_shape))


def frames_in(source: Source, shape: tuple[int, ...]) -> int | None:
    """Return how many frames there are in data of ``shape``, recordings of what ``source`` takes; None if it is not."""
    inputs = source.program.input_shape
    return shape[0] if len(inputs) == FRAME_AXES and shape[1:] == inputs else None
