"""What to do about numbers whose shape is not that of the model's input."""

import math
from collections.abc import Sequence


def shape_advice(found: Sequence[int], wanted: Sequence[int]) -> str:
    """Return what makes samples of the shape ``found`` those of shape ``wanted``; ``x`` is the array of all."""
    found, wanted = tuple(found), tuple(wanted)
    whole = ", ".join(map(str, ("N", *wanted)))
    if len(found) > 1 and (*found[1:], found[0]) == wanted:
        return "the model has the channels last: give numpy.moveaxis(x, 1, -1)"
    if len(found) > 1 and (found[-1], *found[:-1]) == wanted:
        return "the model has the channels first: give numpy.moveaxis(x, -1, 1)"
    same = [size for size in found if size != 1] == [size for size in wanted if size != 1]
    if same or (math.prod(found) == math.prod(wanted) and 1 in (len(found), len(wanted))):
        return f"give x.reshape({', '.join(map(str, ('len(x)', *wanted)))})"
    if sorted(found) == sorted(wanted):
        axes = [1 + found.index(size) for size in wanted]
        if len(set(axes)) == len(axes):
            return f"give x.transpose(0, {', '.join(map(str, axes))})"
    return f"give x of shape ({whole})"
