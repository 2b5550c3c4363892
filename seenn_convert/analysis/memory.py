"""How much of a program fits into memory at once."""

import math

from seenn_convert.ir.editor import shapes_of
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.program import Program
from seenn_convert.rows import ROW_FLOOR

LARGEST_RESULT, LARGEST_ON_CPU = 2**25, 2**23
"""Numbers in the largest result of one node at most: 128 MB in single precision, and 32 MB on a CPU, where more images
are no faster together."""


def images_together(ann: Program, wanted: int) -> int:
    """Return how many images to run together through an ANN: ``wanted``, or fewer where its activations are large.

    On a CPU they are fewer than on other devices, but not below the floor of rows for this reason.
    """
    largest = max(1, *(math.prod(shape) for shape in shapes_of(ann).values()))
    most = LARGEST_RESULT // largest
    if device_of(ann.graph_module).type == "cpu":
        most = min(most, max(ROW_FLOOR, LARGEST_ON_CPU // largest))
    return max(1, min(wanted, most))
