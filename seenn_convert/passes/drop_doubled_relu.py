"""Remove a ReLU whose result another activation rectifies again: it would be a second layer of neurons for nothing."""

from torch import nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import ClippedReLU
from seenn_convert.passes.base import Pass


class DropDoubledReLU(Pass):
    """Replace ``f(relu(x))`` by ``f(x)``, where f is a ReLU, a clipped or a quantised one.

    Before: ``x -> relu -> quantised relu -> y``     After: ``x -> quantised relu -> y``
    Other readers of the first one keep it.
    """

    def rewrite(self, draft: Draft) -> None:
        """Let each such activation read what the ReLU reads."""
        for node, _ in draft.modules_of(nn.ReLU, ClippedReLU):
            source = draft.source_of(node)
            if isinstance(draft.module_at(source), nn.ReLU) and len(source.users) == 1:
                draft.bypass(source)
                draft.changed(node)
