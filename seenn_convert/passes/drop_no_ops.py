"""Remove what computes nothing at inference."""

import torch
from torch import nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Affine, Concatenate, Pad, Permute, Reshape, Slice
from seenn_convert.passes.base import Pass


class DropNoOps(Pass):
    """Remove dropout, identity, pooling of one pixel, empty padding, and reshapes that change nothing.

    Before: ``x -> dropout -> y``     After: ``x -> y``
    """

    def rewrite(self, draft: Draft) -> None:
        """Bypass every call that returns its input."""
        shapes = draft.shapes()
        for node, module in draft.modules_of():
            if _does_nothing(module, shapes[draft.source_of(node).name], shapes[node.name]):
                draft.bypass(node)


def _does_nothing(module: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    match module:
        case nn.Dropout() | nn.Identity():
            return True
        case Reshape() | Slice() | Concatenate() | nn.AdaptiveAvgPool1d() | nn.AdaptiveAvgPool2d():
            return before == after
        case nn.AvgPool1d() | nn.AvgPool2d() | nn.MaxPool1d() | nn.MaxPool2d():
            return before == after and _all_ones(module.kernel_size) and not getattr(module, "divisor_override", None)
        case Pad():
            return not any(module.amounts)
        case Permute():
            return module.dims == tuple(range(len(module.dims)))
        case Affine():
            return before == after and bool(torch.all(module.scale == 1) and torch.all(module.shift == 0))
        case _:
            return False


def _all_ones(size: object) -> bool:
    return all(s == 1 for s in size) if isinstance(size, tuple) else size == 1
