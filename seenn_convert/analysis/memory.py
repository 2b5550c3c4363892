"""How much of a program fits into memory at once."""

import math

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import Program

LARGEST_RESULT = 2**25
"""Numbers in the largest result of one node at most: 128 MB in single precision."""


def images_together(ann: Program, wanted: int) -> int:
    """Return how many images to run together through an ANN: ``wanted``, or fewer where its activations are large."""
    largest = max(math.prod(shape) for shape in Draft(ann).shapes().values())
    return max(1, min(wanted, LARGEST_RESULT // max(largest, 1)))
