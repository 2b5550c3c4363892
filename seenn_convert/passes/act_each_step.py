"""Say of the operators of a network trained as a spiking one that they act on the values of each timestep."""

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import EachStep, FirstSpikes, Treatment, treatment_of
from seenn_convert.passes.base import Pass


class ActEachStep(Pass):
    """Mark each operator that is neither linear nor a layer of neurons: nothing of it becomes anything else.

    Before: ``x -> max pool -> y``     After: ``x -> each step (max pool) -> y``
    """

    def rewrite(self, draft: Draft) -> None:
        """Wrap each such operator."""
        for node, module in draft.modules_of():
            graded = treatment_of(module) is Treatment.SPIKING and not isinstance(module, FirstSpikes)
            if graded or treatment_of(module) is Treatment.TEMPORAL_DIFFERENCE:
                draft.replace_module(node, EachStep(module))
