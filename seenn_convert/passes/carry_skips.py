"""Let skip connections without weights carry graded values past the neurons, or undo that."""

from torch import fx, nn

from seenn_convert.analysis.spike_sources import is_weighted
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import (
    SPIKING_OPERATORS,
    Add,
    Affine,
    AtenOperator,
    ClippedReLU,
    GradedReLU,
    Subtract,
    Treatment,
    clip_of,
    treatment_of,
)
from seenn_convert.passes.base import Pass

SCALING = (Affine, AtenOperator, nn.BatchNorm1d, nn.BatchNorm2d)
"""Linear operators that may multiply: a graded value that meets one would cost a multiplication."""


class CarrySkips(Pass):
    """Give the skip connections of an activation a graded copy of it.

    Before: ``x -> relu -> (convolution, add)``     After: ``x -> relu -> convolution``, ``x -> graded -> add``
    A skip connection leads from an activation to the next one through a sum, and meets no weights on the way. Its
    values cost one addition each, spikes or not. Spikes would round them anew in every block, which is most of what a
    residual network loses at few timesteps; the graded copy, a temporal difference, is exact. An activation that no
    weights read keeps its neurons. So does a quantised one: the network was trained with what its spikes say.

    Args:
        graded: False takes the copies back, so that spikes go along skip connections, too.
    """

    def __init__(self, graded: bool = True) -> None:
        self.graded = graded

    def rewrite(self, draft: Draft) -> None:
        """Split the readers of each activation, or join them again."""
        if self.graded:
            for node, module in draft.modules_of(nn.ReLU, ClippedReLU):
                skips = [user for user in node.users if _is_skip(draft, user)]
                maximum = clip_of(module)
                if maximum is not None and skips and len(skips) < len(node.users):
                    copy = GradedReLU(maximum)
                    graded = draft.insert_after(node, f"{node.name}_skip", copy, [draft.source_of(node)])
                    for user in skips:
                        user.replace_input_with(node, graded)
        else:
            for node, _ in draft.modules_of(GradedReLU):
                original = original_of(draft, node)
                if original is None:
                    draft.decline(node, "no activation with the same input is clipped at the same value")
                    continue
                for user in list(node.users):
                    user.replace_input_with(node, original)
                draft.changed(original)


def original_of(draft: Draft, copy: fx.Node) -> fx.Node | None:
    """Return the activation that ``copy``, a graded ReLU, is a copy of; None if there is none."""
    maximum = getattr(draft.module_at(copy), "maximum", None)
    users = draft.source_of(copy).users
    alike = (one for one in draft.graph.nodes if one in users)  # in the order of the graph
    return next((one for one in alike if clip_of(draft.module_at(one)) == maximum), None)


def _is_skip(draft: Draft, user: fx.Node) -> bool:
    """Return whether all that ``user`` leads to are activations behind a sum, with no weights before them."""
    added, seen, open_nodes = False, {user}, [user]
    while open_nodes:
        node = open_nodes.pop()
        module = draft.module_at(node)
        if module is None or is_weighted(module) or isinstance(module, SCALING):
            return False
        if isinstance(module, SPIKING_OPERATORS):
            continue
        if treatment_of(module) is not Treatment.LINEAR:
            return False
        added |= isinstance(module, (Add, Subtract))
        open_nodes += [one for one in node.users if one not in seen]
        seen |= set(node.users)
    return added
