"""Numbers that are no pixels, such as counts of events: whether data holds them, and bytes among them, refused."""

from dataclasses import replace

import torch

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError

TRIED = 16
"""Inputs whose numbers are looked at."""


def are_bytes(data: Samples) -> bool:
    """Return whether ``data`` is numbers of 8 bits that are no images: recordings, volumes, or rows."""
    first = data.original(0)
    return first.dtype == torch.uint8 and first.ndim != 3


def noting_counts(data: Samples) -> Preprocessing:
    """Return the preprocessing of ``data``, which notes whether its inputs are numbers that are no pixels.

    They are if they are no images, nothing is to be done to pixels, and a number is not in [0, 1], as pixels are.
    """
    known = data.preprocessing
    steps = (known.resize, known.crop, known.mean, known.std)
    tried = [data.original(index) for index in range(min(TRIED, len(data)))]
    numbers = tried[0].is_floating_point() and tried[0].ndim != 3 and all(step is None for step in steps)
    beyond = numbers and any(bool((one < 0).any() or (one > 1).any()) for one in tried)
    return replace(known, counts=True) if beyond else known


def check_no_bytes(data: Samples) -> None:
    """Raise InputError if ``data`` for a network whose inputs are numbers would be read as pixels."""
    if are_bytes(data):
        raise InputError(
            f"{data.name}: x is uint8, which is read as pixels and divided by 255, and the network was made from "
            "numbers that are no pixels; give them as those were, x.astype('int16') or x.astype('float32')"
        )
