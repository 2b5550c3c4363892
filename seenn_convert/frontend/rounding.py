"""Compare a program with its original where both round: a last bit that differs may change a whole level."""

from collections.abc import Callable

import torch
from torch import Tensor

from seenn_convert.ir.interpreter import magnitudes, relative_error
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.program import Program

ROUNDING = ("round", "floor", "ceil", "trunc")
"""Operators that jump: quantised activations are made of them."""


LAST_BITS = (1.2e-7, -1.2e-7, 2.4e-7)
"""Shares by which images are changed to see how much the original makes of their last bits."""

MARGIN = 3.0
"""How many times as much a program may differ."""


def rounds(program: Program) -> bool:
    """Return whether a program of stage ANN rounds on the way."""
    return any(isinstance(module, AtenOperator) and module.name in ROUNDING for _, module in program.calls())


def differs_by_jumps(
    found: Tensor, wanted: Tensor, original: Callable[[Tensor], Tensor], images: Tensor, tolerance: float
) -> bool:
    """Return whether the results of a network that rounds differ only as last bits make them differ.

    One activation in some millions lies so near to a jump that it falls on the other side if its last bit is another.
    That concerns few images, so most are right; or in a large network all of them, and then the original itself differs
    as much when the last bits of its images are other ones.

    Args:
        found: Results of what was read, for ``images``.
        wanted: Those of the original.
        original: Runs it.
        images: ``(B, *input_shape)``.
        tolerance: Largest relative error of an image that is right.
    """
    scale = magnitudes(wanted).clamp(min=1e-12)
    errors = ((found - wanted).abs() / scale).flatten(1).amax(1)
    if float(errors.median()) <= tolerance:
        return True
    with torch.no_grad():
        moved = [relative_error(original(images * (1 + share)), wanted) for share in LAST_BITS]
    return float(errors.max()) <= MARGIN * max(moved)
