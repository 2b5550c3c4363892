"""Write LeakyReLU as two ReLUs, so that it can spike: one neuron for each sign."""

import torch
from torch import fx, nn

from seenn_convert.draft import Draft
from seenn_convert.operators import Add, Affine, Subtract
from seenn_convert.passes.base import Pass


class SplitLeakyReLU(Pass):
    """Replace ``leaky(x)`` by ``relu(x) - relu(-slope * x)``; a slope of 0 by ``relu(x)``.

    Before: ``x -> leaky -> y``     After: ``x -> relu -> (-)``, ``x -> * -slope -> relu -> (-)``, ``(-) -> y``
    A slope below 0 leaves a positive second branch, which is added: ``relu(x) + relu(slope * x)``.
    """

    def rewrite(self, draft: Draft) -> None:
        """Insert the two rectified branches and what joins them."""
        for node, module in draft.modules_of(nn.LeakyReLU):
            assert isinstance(module, nn.LeakyReLU)
            slope = module.negative_slope
            draft.replace_module(node, nn.ReLU())
            if slope != 0:
                _add_branch(draft, node, slope)


def _add_branch(draft: Draft, node: fx.Node, slope: float) -> None:
    """Join the branch of the negative inputs to ``node``, which rectifies the positive ones."""
    name, source, users = node.name, draft.source_of(node), list(node.users)
    scale = torch.tensor(-abs(slope), dtype=draft.program.input_dtype)
    flip = draft.insert_after(node, f"{name}_flip", Affine(scale, torch.zeros_like(scale)), [source])
    negative = draft.insert_after(flip, f"{name}_negative", nn.ReLU(), [flip])
    suffix, join = ("difference", Subtract()) if slope > 0 else ("sum", Add())
    joined = draft.insert_after(negative, f"{name}_{suffix}", join, [node, negative])
    for user in users:
        user.replace_input_with(node, joined)
