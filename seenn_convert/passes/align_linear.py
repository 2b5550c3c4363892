"""Give linear layers inputs whose rows all begin at a place in memory that vector instructions like."""

import torch
from torch import Tensor, nn

from seenn_convert.draft import Draft
from seenn_convert.operators import Pad
from seenn_convert.passes.base import Pass

WIDTH = 4
"""Numbers: 16 bytes in single precision, from where on matrix kernels sum every row in the same order."""


class AlignLinear(Pass):
    """Pad the features of a linear layer with zeros to a multiple of ``WIDTH``.

    Before: ``x -> linear``     After: ``x -> pad -> linear``, whose weight has columns of zeros for what was added
    Otherwise the rows of a batch begin at changing places, kernels sum some of them in another order, and a row's last
    bits depend on where it stands in the batch.
    """

    def rewrite(self, draft: Draft) -> None:
        """Pad each layer that needs it."""
        for node, module in draft.modules_of(nn.Linear):
            assert isinstance(module, nn.Linear)
            missing = -module.in_features % WIDTH
            if missing:
                source = draft.source_of(node)
                node.args = (draft.insert_after(source, f"{node.name}_pad", Pad((0, missing)), [source]),)
                draft.replace_module(node, _widened(module, missing))


def _widened(layer: nn.Linear, missing: int) -> nn.Linear:
    weight: Tensor = layer.weight.detach()
    widened = nn.Linear(layer.in_features + missing, layer.out_features, layer.bias is not None, device="meta")
    widened.weight = nn.Parameter(torch.nn.functional.pad(weight, (0, missing)), requires_grad=False)
    if layer.bias is not None:
        widened.bias = layer.bias
    return widened.eval()
