"""Read one frame of a recording at each timestep: the step from the mean of the frames to the frames themselves."""

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import MeanOverFrames
from seenn_convert.ir.operators.step import FrameAt
from seenn_convert.ir.program import Stage
from seenn_convert.passes.base import Pass


class ReadFrames(Pass):
    """Replace the mean over the frames of a recording by the frame of the timestep.

    Before: ``frames -> mean -> y``     After: ``(frames, clock) -> frame at -> y``
    After every N timesteps of N frames the mean of what was read is the mean of the frames, which the ANN sees. The
    frames themselves are what the stem hands on, so an early exit has read the first ones and no others.
    """

    accepts = yields = Stage.SNN

    def rewrite(self, draft: Draft) -> None:
        """Let each mean over frames read the clock, and one frame."""
        for node, _ in draft.modules_of(MeanOverFrames):
            frames, clock = draft.source_of(node), draft.clock()
            draft.replace_module(node, FrameAt())
            node.args = (frames, clock)
