"""Join a clamp and what clips beside it: with a rectifier it is one clipped rectifier, with a clamp one clamp."""

import math

from torch import nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import AtenOperator, ClippedReLU
from seenn_convert.passes.base import Pass
from seenn_convert.passes.clamps import Clip, clip_at


class JoinClips(Pass):
    """Let a rectifier and a clamp around 0 be one clipped rectifier, whichever comes first.

    Before: ``x -> clamp(-a, b) -> relu -> y``     After: ``x -> clipped relu(b) -> y``
    Before: ``x -> relu -> clamp(-a, b) -> y``     After: ``x -> clipped relu(b) -> y``
    Before: ``x -> clamp(-a, -) -> clamp(-, b) -> y``     After: ``x -> clamp(-a, b) -> y``
    So a guard against overflow costs no neurons of its own, and none of their levels, and two bounds are one operator.
    Declines where something else reads what is between.
    """

    def rewrite(self, draft: Draft) -> None:
        """Join pairs from the input on, so that a chain becomes one call."""
        for node, _ in draft.modules_of():
            if node not in draft.graph.nodes:
                continue
            second = clip_at(draft, node)
            first = None if second is None else clip_at(draft, second.source)
            if first is None or second is None or not _are_one(first, second):
                continue
            if len(first.result.users) > 1:
                draft.decline(node, f"{first.result.name} has other users")
            else:
                _join(draft, first, second)


def _are_one(first: Clip, second: Clip) -> bool:
    """Return whether one is a rectifier and the other a clamp around 0, or whether each bounds one side."""
    if math.isinf(first.high) and math.isinf(second.low) and not (first.rectifies or second.rectifies):
        return first.low < second.high
    rectifier, clamp = (first, second) if first.rectifies else (second, first)
    return rectifier.rectifies and not clamp.rectifies and clamp.low <= 0 < clamp.high


def _join(draft: Draft, first: Clip, second: Clip) -> None:
    kept = (first if first.rectifies else second).result
    for call in (*reversed(second.calls), *reversed(first.calls)):
        if call is not kept:
            draft.bypass(call)
    draft.replace_module(kept, _joined(first, second))


def _joined(first: Clip, second: Clip) -> nn.Module:
    high = min(first.high, second.high)
    if not (first.rectifies or second.rectifies):
        return AtenOperator("clamp.default", ("@0", first.low, high))
    return nn.ReLU() if math.isinf(high) else ClippedReLU(high)
