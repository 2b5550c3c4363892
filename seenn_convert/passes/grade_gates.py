"""Leave activations graded that only gate: their spikes would drive no weights, and add an error of their own."""

import math

from torch import fx, nn

from seenn_convert.analysis.spike_sources import is_weighted
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import AtenOperator, ClippedReLU, QuantisedReLU, Treatment, treatment_of
from seenn_convert.passes.base import Pass


class GradeGates(Pass):
    """Let an activation that only operators of several activations read be a temporal difference, no neurons.

    Before: ``x -> + 3 -> clipped relu(6) -> * x -> y``     After: ``x -> + 3 -> clamp(0, 6) -> * x -> y``
    That is a hard swish written as several operators, or the gate of squeeze and excitation: the product has graded
    results whether or not one of its factors is spikes. So neurons there would spare nothing and round once more; the
    mean of a temporal difference is exact. Written as one operator (``hardswish``), it is one already.
    Declines nothing: an activation that reaches weights, another activation or the output without passing such an
    operator keeps its neurons, and so does a quantised one, since the network was trained with what its spikes say.
    """

    def rewrite(self, draft: Draft) -> None:
        """Look at what reads each activation."""
        for node, module in draft.modules_of(nn.ReLU, ClippedReLU):
            if not isinstance(module, QuantisedReLU) and _only_gates(draft, node):
                draft.replace_module(node, _graded(getattr(module, "maximum", math.inf)))


def _only_gates(draft: Draft, activation: fx.Node) -> bool:
    """Return whether all that an activation reaches, through linear operators without weights, are its products."""
    open_nodes = list(activation.users)
    seen = set(open_nodes)
    while open_nodes:
        node = open_nodes.pop()
        module = draft.module_at(node)
        if module is None or is_weighted(module):
            return False
        treatment = treatment_of(module)
        if treatment is Treatment.LINEAR:
            fresh = [user for user in node.users if user not in seen]
            open_nodes += fresh
            seen.update(fresh)
        elif treatment is Treatment.SPIKING or len(node.all_input_nodes) < 2:
            return False
    return bool(activation.users)


def _graded(maximum: float) -> nn.Module:
    if math.isinf(maximum):
        return AtenOperator("relu.default", ("@0",))
    return AtenOperator("clamp.default", ("@0", 0.0, maximum))
