"""The image that an ONNX file takes: its name, type and shape, and what the file leaves open."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from seenn_convert.errors import InputError

MOST_NUMBERS = 2**26
"""The largest image that is read, and the largest result for one image on the way to the logits, in numbers."""

_LARGEST_BATCH = 4096
WHOLE_TYPES = {
    TensorProto.UINT8, TensorProto.INT8, TensorProto.UINT16, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
    TensorProto.UINT32, TensorProto.UINT64,
}  # fmt: skip
_FLOAT_TYPES: dict[int, torch.dtype] = {TensorProto.FLOAT: torch.float32, TensorProto.DOUBLE: torch.float64}


@dataclass(frozen=True)
class ImageInput:
    """The image a file takes; ``batch`` is the batch size it fixes, None if it leaves it open."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    batch: int | None


def open_shape(model: ModelProto, path: Path) -> tuple[int | None, ...] | None:
    """Return the shape of the image in a file that leaves sizes of it open, None for each; None if all are known."""
    found = input_of(model.graph, path)
    sizes = tuple(dim.dim_value if dim.dim_value > 0 else None for dim in _dims(found)[1:])
    return sizes if None in sizes or not found.type.tensor_type.HasField("shape") else None


def input_of(graph: GraphProto, path: Path) -> ValueInfoProto:
    """Return the one input of a graph that is not a weight."""
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialized]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{path}: must have one input, the image, but has {len(inputs)} ({names}); export it again")
    found: ValueInfoProto = inputs[0]
    return found


def image_of(graph: GraphProto, path: Path, input_shape: Sequence[int] | None = None) -> ImageInput:
    """Return the image that a graph takes.

    Args:
        graph: Its input is of a floating-point type.
        path: Of the file, for messages.
        input_shape: Shape of one image; needed where the graph leaves a size open.

    Raises:
        InputError: The input is no image, or ``input_shape`` is missing or contradicts the file.
    """
    found = input_of(graph, path)
    dtype = _FLOAT_TYPES.get(found.type.tensor_type.elem_type)
    if dtype is None:
        kind = type_name(found.type.tensor_type.elem_type)
        raise InputError(
            f"{path}: input '{found.name}' has type {kind}, not a float; export the model with a float image"
        )
    sizes = [dim.dim_value for dim in _dims(found)]
    shown = ", ".join(dim.dim_param or str(dim.dim_value or "?") for dim in _dims(found))
    if input_shape is not None and not found.type.tensor_type.HasField("shape"):
        sizes = [0] * (1 + len(input_shape))
    if len(sizes) < 2:
        raise InputError(
            f"{path}: input '{found.name}' has shape ({shown}), not a batch of images; export the model with the batch "
            "as the first dimension, and the sizes of an image after it"
        )
    shape = _settled([size if size > 0 else None for size in sizes[1:]], input_shape, f"'{found.name}'", shown, path)
    if prod(shape) > MOST_NUMBERS:
        raise InputError(
            f"{path}: one image of shape {shape} holds {prod(shape)} numbers, at most {MOST_NUMBERS} are read; check "
            "the sizes"
        )
    if sizes[0] > _LARGEST_BATCH:
        raise InputError(
            f"{path}: input '{found.name}' fixes a batch of {sizes[0]} images, at most {_LARGEST_BATCH} are read; "
            "export it with a dynamic batch"
        )
    return ImageInput(found.name, shape, dtype, sizes[0] if sizes[0] > 0 else None)


def type_name(code: int) -> str:
    """Return the name of a type of ONNX."""
    return TensorProto.DataType.Name(code) if code in TensorProto.DataType.values() and code else f"unknown ({code})"


def _dims(value: ValueInfoProto) -> Sequence[onnx.TensorShapeProto.Dimension]:
    dims: Sequence[onnx.TensorShapeProto.Dimension] = value.type.tensor_type.shape.dim
    return dims


def _settled(
    sizes: Sequence[int | None], given: Sequence[int] | None, name: str, shown: str, path: Path
) -> tuple[int, ...]:
    """Return the sizes of a file with the open ones filled in."""
    if given is None:
        if None in sizes:
            raise InputError(
                f"{path}: input {name} has shape ({shown}), which leaves sizes of an image open; give them with "
                "--input-shape (input_shape in Python), for example "
                f"{','.join(str(size or 224) for size in sizes)}"
            )
        given = [size for size in sizes if size is not None]
    agrees = len(given) == len(sizes) and all(a in (b, None) for a, b in zip(sizes, given, strict=True))
    if not agrees:
        raise InputError(
            f"{path}: input {name} has shape ({shown}), and images of shape {tuple(given)} do not fit it behind the "
            "batch dimension; give the shape that the file takes"
        )
    return tuple(int(size) for size in given)
