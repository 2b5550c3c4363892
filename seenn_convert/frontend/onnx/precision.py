"""Rewrite a half-precision ONNX model in single precision, which holds every one of its numbers."""

from pathlib import Path

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from seenn_convert.frontend.onnx.file import array_of

HALF_TYPES: dict[int, str] = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
_TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "stash_type", "softmax_precision"}


def to_single(model: ModelProto, path: Path) -> str | None:
    """Turn every half-precision weight, constant, cast, input and output of ``model`` into float32, in place.

    Half precision is a way to store and to run a network; rounding between the nodes is not part of what it computes.

    Returns:
        A sentence for the user, None if the model has no half-precision numbers.
    """
    found: set[int] = set()
    read = {name for proto in model.graph.node for name in proto.input}
    for tensor in filter(lambda one: one.name in read, model.graph.initializer):
        _convert(tensor, found, path)
    for proto in model.graph.node:
        _convert_attributes(proto, found, path)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        kind = value.type.tensor_type
        if kind.elem_type in HALF_TYPES:
            found.add(kind.elem_type)
            kind.elem_type = TensorProto.FLOAT
    if not found:
        return None
    kinds = " and ".join(HALF_TYPES[code] for code in sorted(found, reverse=True))
    return f"the file computes in {kinds}; it was read in float32, which holds all of its numbers"


def _convert_attributes(proto: NodeProto, found: set[int], path: Path) -> None:
    for attribute in proto.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _convert(attribute.t, found, path)
        elif attribute.name in _TYPE_ATTRIBUTES and attribute.type == AttributeProto.INT and attribute.i in HALF_TYPES:
            found.add(attribute.i)
            attribute.i = TensorProto.FLOAT


def _convert(tensor: TensorProto, found: set[int], path: Path) -> None:
    if tensor.data_type in HALF_TYPES:
        found.add(tensor.data_type)
        tensor.CopyFrom(numpy_helper.from_array(array_of(tensor, path).astype(np.float32), tensor.name))
