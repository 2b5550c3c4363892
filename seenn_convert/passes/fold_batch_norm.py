"""Fold batch norm into the layer before it; a batch norm that stands alone becomes a per-channel affine."""

import torch
from torch import Tensor, nn

from seenn_convert.errors import PostconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Affine
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import Pass, channel_scale, with_parameters


class FoldBatchNorm(Pass):
    """Replace ``BatchNorm(Conv(x))`` and ``BatchNorm(Linear(x))`` by one layer with scaled weights.

    Before: ``x -> conv -> bn -> y``     After: ``x -> conv -> y``
    Where the layer before has other users they would see the folded weights, so the batch norm becomes an affine.
    """

    def rewrite(self, draft: Draft) -> None:
        """Fold where possible, otherwise turn the batch norm into an affine and say why."""
        shapes = draft.shapes()
        for node, module in draft.modules_of(nn.BatchNorm1d, nn.BatchNorm2d):
            scale, shift = batch_norm_affine(module)
            source, axes = draft.source_of(node), len(shapes[node.name])
            layer = draft.module_at(source)
            reason = _obstacle(layer, axes, len(source.users))
            if reason is None and layer is not None:
                draft.replace_module(source, _folded(layer, scale, shift))
                draft.bypass(node)
                continue
            draft.decline(node, f"{reason}; it became a scale and shift per channel")
            row = (-1, *[1] * (axes - 1))
            draft.replace_module(node, Affine(scale.reshape(row), shift.reshape(row)))

    def ensures(self, program: Program) -> None:
        """No batch norm is left."""
        left = [node.name for node, module in program.calls() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
        if left:
            raise PostconditionError(f"FoldBatchNorm left {', '.join(left)}")


def batch_norm_affine(bn: nn.Module) -> tuple[Tensor, Tensor]:
    """Return ``(scale, shift)``, each ``(C,)``, with ``bn(x) == scale * x + shift`` in eval mode."""
    assert isinstance(bn, (nn.BatchNorm1d, nn.BatchNorm2d))
    assert bn.running_mean is not None and bn.running_var is not None
    scale = bn.weight.detach().double() / torch.sqrt(bn.running_var.double() + bn.eps)
    shift = bn.bias.detach().double() - bn.running_mean.double() * scale
    return scale.to(bn.weight.dtype), shift.to(bn.weight.dtype)


def _obstacle(layer: nn.Module | None, axes: int, users: int) -> str | None:
    """Return why a batch norm over rows of ``axes`` axes cannot be folded into ``layer``, None if it can."""
    if not isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
        return "its input is not a convolution or linear layer"
    if isinstance(layer, nn.Linear) and axes > 1:
        return "its channels are not the features of the linear layer"
    return "its input is used elsewhere too" if users > 1 else None


def _folded(layer: nn.Module, scale: Tensor, shift: Tensor) -> nn.Module:
    weight, bias = layer.get_parameter("weight"), layer._parameters.get("bias")
    old = torch.zeros_like(shift) if bias is None else bias.detach()
    return with_parameters(layer, weight=weight.detach() * channel_scale(scale, layer), bias=old * scale + shift)
