"""What to do about numbers whose shape is not that of the model's input."""

import math
from collections.abc import Sequence

RECORDING_AXES = 4
"""Axes of a recording ``(frames, C, H, W)``."""


def shape_advice(found: Sequence[int], wanted: Sequence[int], tensors: bool = False) -> str:
    """Return what makes samples of the shape ``found`` those of shape ``wanted``.

    ``x`` is the array of all, or if they are ``tensors`` of PyTorch, the tensor.
    """
    found, wanted = tuple(found), tuple(wanted)
    whole = ", ".join(map(str, ("N", *wanted)))
    if len(found) == len(wanted) == RECORDING_AXES and found[1:] == wanted[1:]:
        return f"make {wanted[0]} frames of each recording, not {found[0]}"
    if len(found) > 1 and (*found[1:], found[0]) == wanted:
        return "the model has the channels last: give " + moved(1, -1, tensors)
    if len(found) > 1 and (found[-1], *found[:-1]) == wanted:
        return "the model has the channels first: give " + moved(-1, 1, tensors)
    same = [size for size in found if size != 1] == [size for size in wanted if size != 1]
    if same or (math.prod(found) == math.prod(wanted) and 1 in (len(found), len(wanted))):
        return f"give x.reshape({', '.join(map(str, ('len(x)', *wanted)))})"
    if sorted(found) == sorted(wanted):
        axes = [1 + found.index(size) for size in wanted]
        if len(set(axes)) == len(axes):
            return f"give x.{'permute' if tensors else 'transpose'}(0, {', '.join(map(str, axes))})"
    return f"give x of shape ({whole})"


def moved(source: int, target: int, tensors: bool) -> str:
    """Return the expression that moves an axis of ``x``."""
    return f"x.movedim({source}, {target})" if tensors else f"numpy.moveaxis(x, {source}, {target})"
