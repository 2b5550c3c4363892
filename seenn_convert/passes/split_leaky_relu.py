"""Write LeakyReLU as two ReLUs, so that it can spike: one neuron for each sign."""

import torch
from torch import fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Add, Affine, Subtract
from seenn_convert.passes.base import Pass


class SplitLeakyReLU(Pass):
    """Replace ``leaky(x)`` by ``relu(x) - relu(-slope * x)``; a slope of 0 by ``relu(x)``; PReLU channel by channel.

    Before: ``x -> leaky -> y``     After: ``x -> relu -> (-)``, ``x -> * -slope -> relu -> (-)``, ``(-) -> y``
    A slope below 0 leaves a positive second branch, which is added: ``relu(x) + relu(slope * x)``. Slopes of both
    signs are applied behind the second branch: ``relu(x) - slope * relu(-x)``.
    """

    def rewrite(self, draft: Draft) -> None:
        """Insert the two rectified branches and what joins them."""
        shapes = draft.shapes()
        for node, module in draft.modules_of(nn.LeakyReLU, nn.PReLU):
            draft.replace_module(node, nn.ReLU())
            if isinstance(module, nn.PReLU):
                slopes = module.weight.detach().reshape(-1, *[1] * (len(shapes[node.name]) - 1))
                _add_branch(draft, node, -torch.ones(()), slopes)
            elif module.negative_slope != 0:
                slope = torch.tensor(module.negative_slope)
                _add_branch(draft, node, -slope.abs(), slope.sign())


def _add_branch(draft: Draft, node: fx.Node, before: torch.Tensor, behind: torch.Tensor) -> None:
    """Join ``behind * relu(before * x)``, subtracted, to ``node``, which rectifies the positive inputs."""
    name, source, users = node.name, draft.source_of(node), list(node.users)
    dtype = draft.program.input_dtype
    flip = draft.insert_after(node, f"{name}_flip", _scaling(before, dtype), [source])
    negative = draft.insert_after(flip, f"{name}_negative", nn.ReLU(), [flip])
    if behind.dim():
        scaled = draft.insert_after(negative, f"{name}_slope", _scaling(behind, dtype), [negative])
        joined = draft.insert_after(scaled, f"{name}_difference", Subtract(), [node, scaled])
    else:
        suffix, join = ("difference", Subtract()) if behind > 0 else ("sum", Add())
        joined = draft.insert_after(negative, f"{name}_{suffix}", join, [node, negative])
    for user in users:
        user.replace_input_with(node, joined)


def _scaling(factor: torch.Tensor, dtype: torch.dtype) -> Affine:
    factor = factor.to(dtype)
    return Affine(factor, torch.zeros_like(factor))
