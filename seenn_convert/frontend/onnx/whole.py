"""Read a file whose image holds whole numbers: its first operators turn them into floats, so floats can be given."""

from pathlib import Path

from onnx import ModelProto, NodeProto, TensorProto

from seenn_convert.errors import InputError
from seenn_convert.frontend.onnx.image import WHOLE_TYPES, input_of, type_name
from seenn_convert.frontend.onnx.quantised import is_quantised
from seenn_convert.frontend.onnx.ranges import MOVES

_READS_NO_NUMBERS = {"Shape", "Size"}
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)


def take_floats(model: ModelProto, path: Path) -> tuple[float, float] | None:
    """Let a model whose image holds whole numbers take the same numbers as float32, in place.

    That is the same network if nothing computes with them before they become floats: by a ``Cast``, or by the scale
    of a quantised operator.

    Returns:
        The numbers that stand for black and white, None if the image holds floats.

    Raises:
        InputError: Something computes with the whole numbers; names the node.
    """
    image = input_of(model.graph, path)
    code = image.type.tensor_type.elem_type
    if code not in WHOLE_TYPES:
        return None
    whole = {image.name}
    for proto in model.graph.node:
        if not whole.intersection(proto.input) or proto.op_type in _READS_NO_NUMBERS or is_quantised(proto):
            continue
        if proto.op_type == "Cast":
            whole.update(_cast_to_float(proto))
        elif proto.op_type in MOVES:
            whole.update(proto.output)
        else:
            raise InputError(
                f"{path}: input '{image.name}' has type {type_name(code)}, not a float, and node "
                f"'{proto.name or proto.output[0]}' ({proto.op_type}) computes with its whole numbers; export the "
                "model with a float image, or with a cast to float in front of everything else"
            )
    for value in model.graph.output:
        if value.name in whole:
            raise InputError(f"{path}: output '{value.name}' is the image itself; name the logits with --output-name")
    image.type.tensor_type.elem_type = TensorProto.FLOAT
    del model.graph.value_info[:]
    return (-128.0, 127.0) if code == TensorProto.INT8 else (0.0, 255.0)


def _cast_to_float(proto: NodeProto) -> list[str]:
    """Let a cast give floats; return its results if they were whole numbers."""
    target = next((attribute for attribute in proto.attribute if attribute.name == "to"), None)
    if target is None or target.i in _FLOATS or target.i not in WHOLE_TYPES:
        return []
    target.i = TensorProto.FLOAT
    return list(proto.output)


def note_of(kind: str, pixel_range: tuple[float, float]) -> str:
    """Return a sentence for the user on the numbers that the images hold."""
    low, high = pixel_range
    return f"the file takes whole numbers ({kind}): its images are floats from {low:g} to {high:g}, not from 0 to 1"
