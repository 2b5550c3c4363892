"""Let depthwise convolutions read graded values instead of spikes, or undo that."""

from torch import fx

from seenn_convert.analysis.spike_sources import is_depthwise, is_weighted
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import SPIKING_OPERATORS, Graded, Treatment, treatment_of
from seenn_convert.passes.base import Pass


class CarryDepthwise(Pass):
    """Leave the activations that only depthwise convolutions read graded, and let neurons stand behind those alone.

    Before: ``x -> relu -> depthwise -> y``     After: ``x -> graded(relu) -> depthwise -> y``
    Each output of a depthwise convolution has few inputs, all of one channel, and often is the small difference of
    large ones. So what spikes rounded is not averaged away, as in other layers, but amplified; and its
    multiply-accumulates are few. Graded values, a temporal difference, are exact, and the next neurons round once for
    both layers. Encoders in front of such convolutions are left out for the same reason.
    Declines where another layer reads the activation, too, or where nothing else in the network would spike.

    Args:
        graded: False gives the neurons back their places.
    """

    def __init__(self, graded: bool = True) -> None:
        self.graded = graded

    def rewrite(self, draft: Draft) -> None:
        """Wrap each such activation, or unwrap it."""
        if not self.graded:
            for node, module in draft.modules_of(Graded):
                assert isinstance(module, Graded)
                draft.replace_module(node, module.operator)
            return
        activations = list(draft.modules_of(*SPIKING_OPERATORS))
        found = {node for node, _ in activations if _readers(draft, node) == {True}}
        for node, module in activations:
            if len(found) == len(activations):
                draft.decline(node, "nothing else would spike")
            elif node in found:
                draft.replace_module(node, Graded(module))
            elif True in _readers(draft, node):
                draft.decline(node, "not only depthwise convolutions read it")


def _readers(draft: Draft, activation: fx.Node) -> set[bool]:
    """Return, for all that reads ``activation``, whether it is a depthwise convolution; views and sums pass it on."""
    found, seen, open_nodes = set[bool](), set[fx.Node](), [activation]
    while open_nodes:
        for user in open_nodes.pop().users:
            module = draft.module_at(user)
            if module is None or is_weighted(module) or treatment_of(module) is not Treatment.LINEAR:
                found.add(is_depthwise(module))
            elif user not in seen:
                seen.add(user)
                open_nodes.append(user)
    return found
