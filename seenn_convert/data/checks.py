"""Checks of the data that a user gives for an artifact: shape, classes and labels."""

from collections.abc import Sequence

from torch import Tensor

from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import InputError
from seenn_convert.ir.program import Program


def classes_of(snn: Program) -> int:
    """Return the number of classes."""
    return next(spec.shape[0] for spec in snn.states if spec.name == "readout")


def checked_labels(data: Dataset, classes: int) -> Tensor:
    """Return the labels of ``data``; raises InputError where there are none or one is out of range."""
    labels = data.labels
    if labels is None:
        raise InputError(
            f"{data.name} has no labels; evaluation needs an npz with 'y', class folders, or an IDX label file"
        )
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < classes:
            raise InputError(
                f"{data.name}: label {label} is out of range, the model has {classes} classes (0 to {classes - 1})"
            )
    return labels


def matched_classes(data: Dataset, class_names: Sequence[str] | None, classes: int) -> Dataset:
    """Return ``data`` with labels that mean what the network's outputs mean, as far as names tell.

    Args:
        data: Images, with the names of their classes where they lie in class folders.
        class_names: Names of the network's outputs, None where they are not known; then the folders stand for them.
        classes: Number of the network's outputs.

    Raises:
        InputError: A class is unknown, or the folders cannot stand for the outputs because they are fewer or more.
    """
    if class_names is not None:
        return data.with_classes(class_names)
    if data.class_names is not None and len(data.class_names) != classes:
        raise InputError(
            f"{data.name}: {len(data.class_names)} classes have names (class folders, or --class-names) and the model "
            f"has {classes} outputs, so it is unclear which is which; name every output with --class-names, give an "
            "npz with 'y', or images without class folders to calibrate without labels"
        )
    return data


def check_shape(data: Dataset, input_shape: tuple[int, ...]) -> None:
    """Raise InputError unless the images of ``data`` have the shape the model takes."""
    if tuple(data.image_shape) != input_shape:
        raise InputError(
            f"{data.name}: images have shape {tuple(data.image_shape)}, the model takes {input_shape}; "
            "give --resize and --crop to 'convert', or other data"
        )
