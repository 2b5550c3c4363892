"""Let convolutions read and write images with the channels last in memory, as the kernels of processors do."""

from torch import nn

from seenn_convert.ir.editor import Draft
from seenn_convert.passes.base import Pass, with_parameters
from seenn_convert.rows import channels_last


class OrderChannelsLast(Pass):
    """Store the weights of convolutions over images with the channels last; shapes and numbers stay.

    Before: ``conv``, weight in memory as ``(O, I, H, W)``     After: ``conv``, weight in memory as ``(O, H, W, I)``
    A convolution writes its result in the order of its weight, and what follows keeps the order of its input, so a
    whole step runs in it, state included; else each convolution copies its input and its result into it and back.
    """

    def rewrite(self, draft: Draft) -> None:
        """Replace every such convolution by one that shares all but the order of its weight."""
        for node, module in draft.modules_of(nn.Conv2d, nn.ConvTranspose2d):
            before = module.get_parameter("weight").detach()
            weight = channels_last(before)
            if weight.stride() == before.stride():
                continue
            draft.replace_module(node, with_parameters(module, weight=weight))
