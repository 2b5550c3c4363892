"""Leave the first activations analog: what they see is the same at every timestep, so none of them has to spike."""

from seenn_convert.analysis.front import ACTIVATIONS
from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Analog, Graded, GradedReLU
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import Pass
from seenn_convert.passes.carry_skips import original_of


class KeepFront(Pass):
    """Keep the first ``activations`` analog, or give neurons back their places.

    Before: ``image -> conv -> relu -> conv -> relu -> y``     After: ``image -> conv -> analog(relu) -> conv -> relu``
    No neurons replace what is kept, so it does not vary in time, and the stem takes it, with all layers up to the first
    neurons. The first in the order of the graph depend on no later ones. What was kept before and is not among them
    becomes an activation again, just as it was. What stays graded in front of depthwise convolutions counts as an
    activation, too, and is left as it is behind the front. Graded copies of what is kept say the same as the
    activation: their readers read that.

    Args:
        activations: How many; 0 keeps none.
    """

    def __init__(self, activations: int) -> None:
        self.activations = activations

    def requires(self, program: Program) -> None:
        """At least one activation is left to spike."""
        found = [module for _, module in program.calls() if isinstance(module, (*ACTIVATIONS, Analog))]
        left = [module for module in found[self.activations :] if not isinstance(module, Graded)]
        if self.activations < 0 or (self.activations and not left):
            raise PreconditionError(f"{self.activations} of {len(found)} activations in the front leave none to spike")

    def rewrite(self, draft: Draft) -> None:
        """Keep the first ones; the others are activations."""
        activations = list(draft.modules_of(*ACTIVATIONS, Analog))
        kept = {node for node, _ in activations[: self.activations]}
        for node, _ in draft.modules_of(GradedReLU):
            original = original_of(draft, node)
            if original in kept:
                node.replace_all_uses_with(original)
                draft.changed(original)
        for node, module in activations:
            if isinstance(module, Analog) and node not in kept:
                draft.replace_module(node, module.operator)
            elif not isinstance(module, Analog) and node in kept:
                draft.replace_module(node, Analog(module.operator if isinstance(module, Graded) else module))
