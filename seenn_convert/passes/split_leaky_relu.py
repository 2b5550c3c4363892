"""Write LeakyReLU as two ReLUs, so that it can spike: one neuron for each sign."""

import torch
from torch import nn

from seenn_convert.draft import Draft
from seenn_convert.operators import Affine, Subtract
from seenn_convert.passes.base import Pass


class SplitLeakyReLU(Pass):
    """Replace ``leaky(x)`` by ``relu(x) - relu(-slope * x)``.

    Before: ``x -> leaky -> y``     After: ``x -> relu -> (-)``, ``x -> * -slope -> relu -> (-)``, ``(-) -> y``
    Declines a slope below 0, for which the identity does not hold.
    """

    def rewrite(self, draft: Draft) -> None:
        """Insert the two rectified branches and their difference."""
        for node, module in draft.modules_of(nn.LeakyReLU):
            assert isinstance(module, nn.LeakyReLU)
            if module.negative_slope < 0:
                draft.decline(node, "its slope is negative")
                continue
            source, name = draft.source_of(node), node.name
            zero = torch.tensor(0.0)
            flipped = draft.insert_after(node, f"{name}_flip", Affine(torch.tensor(-module.negative_slope), zero), [source])
            negative = draft.insert_after(flipped, f"{name}_negative", nn.ReLU(), [flipped])
            difference = draft.insert_after(negative, f"{name}_difference", Subtract(), [node, negative])
            node.replace_all_uses_with(difference, delete_user_cb=lambda user, kept=difference: user is not kept)
            draft.replace_module(node, nn.ReLU())
