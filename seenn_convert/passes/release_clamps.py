"""Take clamps whose lower bound no activation comes near from the neurons."""

from collections.abc import Mapping

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.passes.base import Pass
from seenn_convert.passes.clamps import moved_clips

NEAR = 0.25
"""How far above its lower bound the activations of a clamp may stay, as a share of their own range, for neurons to
stand for it: beyond that, neurons would spend their levels on values that never come."""


class ReleaseClamps(Pass):
    """Let a clamp whose lower bound does nothing be a clamp, which becomes a temporal difference and stays exact.

    Before: ``x -> + a -> clipped relu(a + b) -> - a -> y``     After: ``x -> clamp(-a, b) -> y``
    Declines where activations come near the lower bound: there the clamp is an activation function.

    Args:
        ranges: Last call of a clamp -> smallest and largest activation that enters it.
    """

    def __init__(self, ranges: Mapping[str, tuple[float, float]]) -> None:
        self.ranges = dict(ranges)

    def rewrite(self, draft: Draft) -> None:
        """Replace each clamp that is far from its activations."""
        for clip in list(moved_clips(draft)):
            first, middle, last = clip.calls
            if last.name not in self.ranges:
                continue
            least, most = self.ranges[last.name]
            if least - clip.low <= NEAR * (most - least):
                draft.decline(middle, f"activations of {least:.3g} come near its lower bound of {clip.low:.3g}")
                continue
            draft.bypass(first)
            draft.bypass(last)
            draft.replace_module(middle, AtenOperator("clamp.default", ("@0", clip.low, clip.high)))
