"""Let convolutions and linear layers compute in lower precision; membranes, sums, clocks and scores stay."""

import torch
from torch import nn

from seenn_convert.choices import Precision
from seenn_convert.errors import InputError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import CONVOLUTIONS
from seenn_convert.ir.operators.elementwise import Recast
from seenn_convert.ir.operators.step import ExitProbe
from seenn_convert.ir.program import Program, Stage
from seenn_convert.passes.base import Pass, with_parameters

_WEIGHTED = (*CONVOLUTIONS, nn.Linear)


class LowerPrecision(Pass):
    """Round the weights of convolutions and linear layers to a type of fewer bits, and cast what they read and write.

    Before: ``x -> conv -> y``     After: ``x -> cast down -> conv, rounded -> cast up -> y``
    The head, whose result is the readout, stays, for scores are compared with thresholds; and so does the stem, which
    runs once.

    Args:
        dtype: ``torch.bfloat16`` or ``torch.float16``.
    """

    accepts = yields = Stage.SNN

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def requires(self, program: Program) -> None:
        """The program computes in single precision."""
        if program.input_dtype is not torch.float32:
            raise PreconditionError(f"{self.name} takes a program in single precision, not {program.input_dtype}")

    def rewrite(self, draft: Draft) -> None:
        """Rewrite the layers of the step, but for the head."""
        down, up = str(self.dtype).removeprefix("torch."), "float32"
        for node, module in draft.modules_of(*_WEIGHTED):
            if any(isinstance(draft.module_at(user), ExitProbe) for user in node.users):
                draft.decline(node, "its result is the readout")
                continue
            source = draft.source_of(node)
            lowered = draft.insert_after(node.prev, f"{node.name}_down", Recast(down), [source])
            node.replace_input_with(source, lowered)
            draft.replace_module(node, _rounded(module, self.dtype))
            readers = list(node.users)
            raised = draft.insert_after(node, f"{node.name}_up", Recast(up), [node])
            for reader in readers:
                reader.replace_input_with(node, raised)


def in_precision(program: Program, precision: Precision) -> Program:
    """Return a spiking program whose step computes in ``precision``; the program itself where it does so already.

    Raises:
        InputError: The program computes in double precision.
    """
    if precision == "float32":
        return program
    if program.input_dtype is not torch.float32:
        raise InputError(
            f"the network computes in {str(program.input_dtype).removeprefix('torch.')}, which precision={precision!r} "
            "leaves as it is; leave it out"
        )
    return LowerPrecision(getattr(torch, precision))(program)


def _rounded(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return the module with rounded weights in the same order in memory."""
    return with_parameters(module, **{name: one.detach().to(dtype) for name, one in module.named_parameters()})
