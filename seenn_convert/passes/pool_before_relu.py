"""Move max pooling in front of the ReLU it follows: the same numbers, fewer neurons, and an exact maximum."""

from torch import fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import HOMOGENEOUS_OPERATORS, ClippedReLU
from seenn_convert.passes.base import Pass


class PoolBeforeReLU(Pass):
    """Replace ``maxpool(relu(x))`` by ``relu(maxpool(x))``; both are monotone, so they commute.

    Before: ``x -> relu -> maxpool -> y``     After: ``x -> maxpool -> relu -> y``
    Declines where the ReLU has other users: they would see the pooled values.
    """

    def rewrite(self, draft: Draft) -> None:
        """Swap the two calls where the ReLU serves only the pooling."""
        for node, _ in draft.modules_of(*HOMOGENEOUS_OPERATORS):
            activation = draft.source_of(node)
            if not isinstance(draft.module_at(activation), (nn.ReLU, ClippedReLU)):
                continue
            if len(activation.users) > 1:
                draft.decline(node, f"{activation.name} has other users")
                continue
            _swap(draft, activation, node)


def _swap(draft: Draft, activation: fx.Node, pool: fx.Node) -> None:
    pool.replace_input_with(activation, draft.source_of(activation))
    pool.replace_all_uses_with(activation)
    activation.args = (pool,)
    pool.append(activation)
    draft.changed(activation)
    draft.changed(pool)
