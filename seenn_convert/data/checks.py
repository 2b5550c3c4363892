"""Checks of the data that a user gives for an artifact: shape, classes and labels."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from seenn_convert.data.class_numbers import numbered_names
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.samples import Samples
from seenn_convert.data.shapes import shape_advice
from seenn_convert.data.wanted import no_labels, text_of
from seenn_convert.errors import InputError
from seenn_convert.ir.program import Program

MOST_IMAGE_AXES = 3
"""Axes of one image, with its channels."""


def classes_of(snn: Program) -> int:
    """Return the number of classes."""
    return next(spec.shape[0] for spec in snn.states if spec.name == "readout")


def outputs_of(ann: Program) -> int:
    """Return the number of an ANN's outputs."""
    with torch.no_grad():
        return ann(torch.zeros(1, *ann.input_shape, dtype=ann.input_dtype)).shape[-1]


def checked_labels(data: Samples, classes: int) -> Tensor:
    """Return the labels of ``data``; raises InputError where there are none or one is out of range."""
    labels = data.labels
    if labels is None:
        raise InputError(no_labels(data.name))
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < classes:
            raise InputError(
                f"{data.name}: label {label} is out of range, the model has {classes} classes (0 to {classes - 1})"
            )
    return labels


def checked_classes(data: Samples, class_names: Sequence[str] | None, classes: int) -> Samples:
    """Return ``data`` with its classes matched as by ``matched_classes``, and its labels, if any, checked.

    Raises:
        InputError: As ``matched_classes`` and ``checked_labels``.
    """
    data = matched_classes(data, class_names, classes)
    if data.labels is not None:
        checked_labels(data, classes)
    return data


def checked_names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return the names of a model's outputs; raises InputError unless there is a different, printable one for each."""
    if not isinstance(names, Iterable):
        raise InputError(f"class names must be a list of text, one for each output, got {names!r}")
    found = () if isinstance(names, str) else tuple(names)
    if len(found) != classes:
        got = "one text was" if isinstance(names, str) else f"{len(found)} class names were"
        raise InputError(f"{got} given for the model's {classes} outputs; give a list with one name each, in order")
    bad = [name for name in found if not isinstance(name, str) or not name or not name.isprintable()]
    bad += [name for name in set(found) if name not in bad and found.count(name) > 1]
    if bad:
        listed = ", ".join(repr(name) for name in bad)
        raise InputError(f"class names must be printable text, each a different one; change {listed}")
    return tuple(str(name) for name in found)


def matched_classes(data: Samples, class_names: Sequence[str] | None, classes: int) -> Samples:
    """Return ``data`` with labels that mean what the network's outputs mean, as far as names tell.

    Args:
        data: Images, with the names of their classes where these are known.
        class_names: Names of the network's outputs, None where they are not known; then those of the data do, if there
            is one for each output or they are numbers of outputs.
        classes: Number of the network's outputs.

    Raises:
        InputError: A class is unknown, or the names cannot stand for the outputs because they are fewer or more.
    """
    if class_names is not None:
        return data.with_classes(class_names)
    if data.class_names is None or len(data.class_names) == classes:
        return data
    numbered = numbered_names(data.class_names, classes)
    if numbered is not None:
        return data.with_classes(numbered)
    raise InputError(
        f"{data.name}: {len(data.class_names)} named classes for the model's {classes}, so their order does not "
        "say which is which; give the names of all outputs (--class-names, class_names), a folder or name for each "
        f"class, folders named by the numbers of their outputs (0 to {classes - 1}), labels without names (an npz with "
        "'y'), or images without labels to calibrate"
    )


def check_steps(data: Samples, given: Preprocessing | None, input_shape: tuple[int, ...]) -> None:
    """Raise InputError if the user has ``given`` a resize or a crop for numbers that are no image."""
    if given is None or (given.resize is None and given.crop is None) or not data.original(0).is_floating_point():
        return  # pixels are refused where they are resized
    axes, size = len(input_shape), input_shape[0]
    if axes > MOST_IMAGE_AXES or (axes == 1 and math.isqrt(size) ** 2 != size):  # a square image may lie in a row
        raise InputError(
            f"the model takes inputs of shape {input_shape}, no images: nothing can be resized or cropped; leave out "
            "--resize and --crop"
        )


def check_shape(data: Samples, input_shape: tuple[int, ...]) -> None:
    """Raise InputError unless the images of ``data`` have the shape the model takes."""
    problem = shape_problem(data, input_shape)
    if problem is not None:
        raise InputError(problem)


def shape_problem(data: Samples, input_shape: tuple[int, ...]) -> str | None:
    """Return why ``data`` does not have the shape of the model's input and what to do, None if it has."""
    found = tuple(data.image_shape)
    if found == input_shape:
        return None
    return f"{data.name}: images have shape {found}, the model takes {input_shape}; {_advice(data, input_shape)}"


def _advice(data: Samples, input_shape: tuple[int, ...]) -> str:
    """Return what gives ``data`` the shape of the model's input."""
    found, original, side = tuple(data.image_shape), data.original(0), _side(data, input_shape)
    if original.is_floating_point() or original.ndim != 3:
        return shape_advice(found, input_shape)
    if len(found) == len(input_shape) == 3 and original.shape[0] != _channels(data, input_shape):
        return f"open_dataset(..., channels={_channels(data, input_shape)}) reads them so, or give other data"
    if len(found) == len(input_shape) and side is not None:
        return f"give --resize {side} --crop {side} to 'convert', or other data"
    return f"give images of that size, or an .npz file with x of shape {text_of(input_shape)}"


def _side(data: Samples, input_shape: tuple[int, ...]) -> int | None:
    """Return the height of the images that the model takes if they are squares, which cropping makes."""
    layout = data.preprocessing.layout
    if layout == "flat":
        side = math.isqrt(input_shape[0])
        return side if side * side == input_shape[0] else None
    sizes = {"channels_first": input_shape[1:], "channels_last": input_shape[:-1]}.get(layout, input_shape)
    return sizes[0] if len(sizes) == 2 and sizes[0] == sizes[1] else None


def _channels(data: Samples, input_shape: tuple[int, ...]) -> int:
    return input_shape[-1] if data.preprocessing.layout == "channels_last" else input_shape[0]
