"""Checks of the data that a user gives for an artifact: shape, classes and labels."""

from collections.abc import Sequence

from torch import Tensor

from seenn_convert.data.samples import Samples
from seenn_convert.errors import InputError
from seenn_convert.ir.program import Program


def classes_of(snn: Program) -> int:
    """Return the number of classes."""
    return next(spec.shape[0] for spec in snn.states if spec.name == "readout")


def checked_labels(data: Samples, classes: int) -> Tensor:
    """Return the labels of ``data``; raises InputError where there are none or one is out of range."""
    labels = data.labels
    if labels is None:
        raise InputError(
            f"{data.name} has no labels; evaluation needs an npz with 'y', class folders, an IDX label file, or pairs "
            "of image and label"
        )
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < classes:
            raise InputError(
                f"{data.name}: label {label} is out of range, the model has {classes} classes (0 to {classes - 1})"
            )
    return labels


def checked_names(names: Sequence[str], classes: int) -> tuple[str, ...]:
    """Return the names of a model's outputs; raises InputError unless there is a different, printable one for each."""
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
        class_names: Names of the network's outputs, None where they are not known; then those of the data do.
        classes: Number of the network's outputs.

    Raises:
        InputError: A class is unknown, or the names cannot stand for the outputs because they are fewer or more.
    """
    if class_names is not None:
        return data.with_classes(class_names)
    if data.class_names is not None and len(data.class_names) != classes:
        raise InputError(
            f"{data.name}: {len(data.class_names)} named classes for the model's {classes}, so their order does not "
            "say which is which; give the names of all outputs (--class-names, class_names), a folder or name for each "
            "class, labels without names (an npz with 'y'), or images without labels to calibrate"
        )
    return data


def check_shape(data: Samples, input_shape: tuple[int, ...]) -> None:
    """Raise InputError unless the images of ``data`` have the shape the model takes."""
    if tuple(data.image_shape) != input_shape:
        raise InputError(
            f"{data.name}: images have shape {tuple(data.image_shape)}, the model takes {input_shape}; "
            "give --resize and --crop to 'convert', or other data"
        )
