"""Builder of the ONNX resize operators: accepted only where ``F.interpolate`` gives exactly the same places."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx_operators_base import Array, Compute, Layer, OnnxNode
from seenn_convert.frontend.onnx_operators_window import spatial_size

_LINEAR_MODES = {1: "linear", 2: "bilinear"}
_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(node: OnnxNode) -> Layer:
    """Resize and Upsample.

    ONNX has eight coordinate rules and four roundings, PyTorch four combinations. Sizes are known here, so both are
    worked out along each axis and compared, place by place.
    """
    size, mode = spatial_size(node), node.text("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear") or node.integer("antialias", 0):
        raise node.refuse(f"mode '{mode}'{' with antialias' if node.integer('antialias', 0) else ''} is not supported")
    scales, output_size = _scales_and_sizes(node, size)
    if scales == [1.0] * len(size) and list(size) == output_size:
        return Layer(nn.Identity())
    wanted = [_places(node, n, out, scale) for n, out, scale in zip(size, output_size, scales, strict=True)]
    candidates: list[tuple[str, bool | None]] = [("nearest", None), ("nearest-exact", None)]
    if mode != "nearest":
        candidates = [(_LINEAR_MODES[len(size)], False), (_LINEAR_MODES[len(size)], True)]
    for candidate, align_corners in candidates:
        one_axis = "linear" if align_corners is not None else candidate
        reached = [
            F.interpolate(
                torch.arange(n, dtype=torch.float64)[None, None], out, mode=one_axis, align_corners=align_corners
            )
            for n, out in zip(size, output_size, strict=True)
        ]
        if all(np.allclose(a, b[0, 0].numpy(), atol=1e-5) for a, b in zip(wanted, reached, strict=True)):
            chosen = partial(F.interpolate, size=output_size, mode=candidate, align_corners=align_corners)
            return Layer(Compute(chosen))
    rule = node.text("coordinate_transformation_mode", "half_pixel" if node.opset >= 11 else "asymmetric")
    raise node.refuse(
        f"mode '{mode}' with coordinates '{rule}' from {size} to {tuple(output_size)} differs from F.interpolate",
        "resize by torch.nn.functional.interpolate and export again",
    )


def _scales_and_sizes(node: OnnxNode, size: tuple[int, ...]) -> tuple[list[float], list[int]]:
    """Return scale and output size of every spatial axis from any of the forms of the operator."""
    rank = len(size) + 2
    full = node.activation(0).shapes[0]
    axes = [node.axis(axis) for axis in node.integers("axes") or range(rank)]
    scale_position, size_position = (1, None) if node.opset < 11 else (2, 3)
    if "scales" in node.attributes:
        given: Array | None = np.asarray(node.attributes["scales"], dtype=np.float32)
    else:
        given = node.optional_constant(scale_position)
    scales, sizes = [1.0] * rank, list(full)
    if given is not None and given.size:
        for axis, scale in zip(axes, given.reshape(-1).tolist(), strict=True):
            scales[axis], sizes[axis] = scale, int(np.floor(full[axis] * scale))
    elif size_position is not None and node.has(size_position):
        scales, sizes = _from_sizes(node, axes, size_position)
    if scales[:2] != [1.0, 1.0]:
        raise node.refuse("it resizes the batch or the channels", "resize only height and width")
    return scales[2:], sizes[2:]


def _from_sizes(node: OnnxNode, axes: list[int], position: int) -> tuple[list[float], list[int]]:
    full = node.activation(0).shapes[0]
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise node.refuse("only the aspect ratio policy 'stretch' is supported")
    scales, sizes = [1.0] * len(full), list(full)
    for axis, wanted in zip(axes, node.shapes_given(position)[0], strict=True):
        if axis > 0:  # the batch among the sizes is the one the file was traced with
            scales[axis], sizes[axis] = wanted / full[axis], int(wanted)
    return scales, sizes


def _places(node: OnnxNode, size: int, output_size: int, scale: float) -> Array:
    """Return where in the input each output place reads, along one axis.

    Source: the table of coordinate transformations of the ONNX operator specification, Resize.
    """
    rule = node.text("coordinate_transformation_mode", "half_pixel" if node.opset >= 11 else "asymmetric")
    i = np.arange(output_size, dtype=np.float64)
    if rule in ("half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "half_pixel_symmetric"):
        places = (i + 0.5) / scale - (0.0 if rule == "tf_half_pixel_for_nn" else 0.5)
        if rule == "pytorch_half_pixel" and output_size == 1:
            places = np.zeros(1)
        if rule == "half_pixel_symmetric":
            places += size / 2 * (1 - output_size / (scale * size))
    elif rule == "asymmetric":
        places = i / scale
    elif rule == "align_corners":
        places = i * (size - 1) / max(output_size - 1, 1)
    else:
        raise node.refuse(f"the coordinate rule '{rule}' is not supported")
    if node.text("mode", "nearest") == "nearest":
        default = "round_prefer_floor" if node.opset >= 11 else "floor"
        places = _ROUNDINGS[node.text("nearest_mode", default)](places)
    return np.clip(places, 0, size - 1)
