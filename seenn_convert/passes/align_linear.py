"""Give linear layers inputs whose rows all begin at a place in memory that vector instructions like."""

import torch
from torch import nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import PaddedLinear
from seenn_convert.passes.base import Pass


class AlignLinear(Pass):
    """Let linear layers pad their input to whole vectors.

    Before: ``x -> linear``     After: ``x -> padded linear``, where the number of features is no whole vector
    Otherwise the rows of a batch begin at changing places, kernels sum some of them in another order, and a row's last
    bits depend on where it stands in the batch.
    """

    def rewrite(self, draft: Draft) -> None:
        """Replace each layer that needs it."""
        for node, module in draft.modules_of(nn.Linear):
            assert isinstance(module, nn.Linear)
            missing = -module.in_features % PaddedLinear.WIDTH
            if missing and not isinstance(module, PaddedLinear):
                draft.replace_module(node, _padded(module, missing))


def _padded(layer: nn.Linear, missing: int) -> PaddedLinear:
    with torch.device("meta"):
        padded = PaddedLinear(layer.in_features, layer.out_features, layer.bias is not None)
    padded.weight = nn.Parameter(nn.functional.pad(layer.weight.detach(), (0, missing)), requires_grad=False)
    if layer.bias is not None:
        padded.bias = layer.bias
    return padded.eval()
