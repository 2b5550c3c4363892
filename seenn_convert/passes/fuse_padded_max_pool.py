"""Join padding with minus infinity to the max pooling behind it: infinity cannot be summed over timesteps."""

import math

from torch import nn

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Pad, PaddedMaxPool
from seenn_convert.passes.base import Pass


class FusePaddedMaxPool(Pass):
    """Replace ``maxpool(pad(x, -inf))`` by one operator.

    Before: ``x -> pad -> maxpool -> y``     After: ``x -> padded maxpool -> y``

    Raises:
        UnsupportedOperatorError: Padding with infinity is read by something else.
    """

    def rewrite(self, draft: Draft) -> None:
        """Fuse where only max poolings read the padded tensor, otherwise refuse."""
        problems = []
        for node, pad in draft.modules_of(Pad):
            assert isinstance(pad, Pad)
            if not math.isinf(pad.value):
                continue
            users = [(user, draft.module_at(user)) for user in node.users]
            pools = [(u, m) for u, m in users if isinstance(m, (nn.MaxPool1d, nn.MaxPool2d))]
            if len(pools) < len(users) or pad.value > 0:
                source = draft.sources.get(node.name, "")
                problems.append(
                    f"{node.name} (pad{f' at {source}' if source else ''}): it pads with infinity and not for a max "
                    "pooling; pad with a number"
                )
                continue
            for user, pool in pools:
                draft.replace_module(user, PaddedMaxPool(pad.amounts, pool))
                user.replace_input_with(node, draft.source_of(node))
        if problems:
            raise UnsupportedOperatorError(problems)
