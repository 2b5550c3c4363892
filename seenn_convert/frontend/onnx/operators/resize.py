"""Builder of the ONNX resize operators: ``F.interpolate`` where it gives exactly the same, else one map per axis."""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from seenn_convert.frontend.onnx.operators.base import Array, Compute, Layer, OnnxNode
from seenn_convert.frontend.onnx.operators.products import linear
from seenn_convert.frontend.onnx.operators.resize_places import matrix_of, places_of
from seenn_convert.frontend.onnx.operators.select import take
from seenn_convert.frontend.onnx.operators.window import spatial_size

_MODES = {"linear": "linear", "bilinear": "linear", "cubic": "cubic", "nearest": "nearest"}
_LONGEST = 2**13
_TORCH_MODES = {(1, "linear"): "linear", (2, "linear"): "bilinear", (2, "cubic"): "bicubic"}


def resize(node: OnnxNode) -> Layer:
    """Resize and Upsample.

    ONNX has eight coordinate rules and four roundings, PyTorch a few combinations. Sizes are known here, so what each
    place of the output takes from which places of the input is worked out along each axis, and compared with PyTorch.
    Where nothing in PyTorch is the same, the axes are mapped one after the other: by lists of places, or by matrices.
    """
    size, mode = spatial_size(node), _MODES.get(node.text("mode", "nearest"))
    if mode is None:
        raise node.refuse(f"mode '{node.text('mode', '')}' is not supported", "resize by nearest, linear or cubic")
    scales, output_size = _scales_and_sizes(node, size)
    if scales == [1.0] * len(size) and list(size) == output_size:
        return Layer(nn.Identity())
    if not all(0 < n <= _LONGEST for n in output_size):
        raise node.refuse(f"its result has the sizes {output_size}; sizes from 1 to {_LONGEST} are supported")
    axes = list(zip(size, output_size, scales, strict=True))
    if mode == "nearest":
        return Layer(_nearest([places_of(node, *axis) for axis in axes], size, output_size))
    return Layer(_weighted(node, [matrix_of(node, mode, *axis) for axis in axes], mode, output_size))


def _nearest(wanted: list[Array], size: tuple[int, ...], output_size: list[int]) -> nn.Module:
    """Return the module that takes, along each axis, the wanted places."""
    for mode in ("nearest", "nearest-exact") if len(size) < 3 else ():
        lines = [torch.arange(n, dtype=torch.float64)[None, None] for n in size]
        reached = [F.interpolate(line, n, mode=mode)[0, 0].numpy() for line, n in zip(lines, output_size, strict=True)]
        # PyTorch has the exact rule for two spatial axes only where a program may hold it.
        if all(map(np.array_equal, wanted, reached)) and (mode == "nearest" or len(size) == 2):
            return Compute(partial(F.interpolate, size=output_size, mode=mode))
    steps = [take(places, i + 2) for i, places in enumerate(wanted) if list(places) != list(range(size[i]))]
    return nn.Sequential(*steps)


def _weighted(node: OnnxNode, wanted: list[Array], mode: str, output_size: list[int]) -> nn.Module:
    """Return the module that maps each axis by the wanted matrix."""
    torch_mode = _TORCH_MODES.get((len(wanted), mode), "")
    antialias = bool(node.integer("antialias", 0)) and len(wanted) == 2
    for align_corners in (False, True) if torch_mode else ():
        reached = [_torch_matrix(m.shape[1], m.shape[0], mode, align_corners, antialias) for m in wanted]
        if all(np.allclose(a, b, atol=1e-5) for a, b in zip(wanted, reached, strict=True)):
            return Compute(
                partial(
                    F.interpolate, size=output_size, mode=torch_mode, align_corners=align_corners, antialias=antialias
                )
            )
    dtype = torch.empty(0, dtype=node.activation(0).dtype).numpy().dtype
    steps = [_along(i + 2, m.astype(dtype)) for i, m in enumerate(wanted) if not _is_identity(m)]
    return nn.Sequential(*steps)


def _torch_matrix(size: int, output_size: int, mode: str, align_corners: bool, antialias: bool) -> Array:
    """Return what ``F.interpolate`` does along one axis as a matrix ``(output_size, size)``."""
    lines = torch.eye(size, dtype=torch.float64)[None, :, None]
    reached = F.interpolate(lines, (1, output_size), mode=f"bi{mode}", align_corners=align_corners, antialias=antialias)
    matrix: Array = reached[0, :, 0].T.numpy()
    return matrix


def _along(axis: int, matrix: Array) -> nn.Module:
    turn = Compute(partial(torch.transpose, dim0=axis, dim1=-1))
    return nn.Sequential(turn, linear(matrix, None), turn)


def _is_identity(matrix: Array) -> bool:
    return matrix.shape[0] == matrix.shape[1] and bool(np.allclose(matrix, np.eye(len(matrix)), atol=1e-6))


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
    """Return scale and output size of every axis; with a policy one scale, the smallest or the largest, fits all."""
    full, policy = node.activation(0).shapes[0], node.text("keep_aspect_ratio_policy", "stretch")
    scales, sizes = [1.0] * len(full), list(full)
    wanted = {axis: n for axis, n in zip(axes, node.shapes_given(position)[0], strict=True) if axis > 0}
    for axis, length in wanted.items():  # the batch among the sizes is the one the file was traced with
        scales[axis], sizes[axis] = length / full[axis], int(length)
    if policy != "stretch":
        scale = (min if policy == "not_larger" else max)(scales[axis] for axis in wanted)
        for axis in wanted:
            scales[axis], sizes[axis] = scale, int(np.floor(scale * full[axis] + 0.5))
    return scales, sizes
