"""Where in the input each place of a resized output reads, along one axis, and with which weights.

Source: the coordinate transformations, roundings and interpolations of the ONNX operator specification, Resize.
"""

from collections.abc import Callable

import numpy as np

from seenn_convert.frontend.onnx.operators.base import Array, OnnxNode

_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def places_of(node: OnnxNode, size: int, output_size: int, scale: float) -> Array:
    """Return the place that each place of the output copies."""
    default = "round_prefer_floor" if node.opset >= 11 else "floor"
    places = _ROUNDINGS[node.text("nearest_mode", default)](_coordinates(node, size, output_size, scale))
    nearest: Array = np.clip(places, 0, size - 1).astype(np.int64)
    return nearest


def matrix_of(node: OnnxNode, mode: str, size: int, output_size: int, scale: float) -> Array:
    """Return the weights ``(output_size, size)`` of an interpolation; edges are repeated, or left out."""
    coordinates = _coordinates(node, size, output_size, scale)
    coefficient = node.number("cubic_coeff_a", -0.75)
    # Against aliasing the kernel is as wide as the step from one output place to the next.
    width = max(1.0, 1.0 / scale) if node.integer("antialias", 0) else 1.0
    reach = int(np.ceil((2 if mode == "cubic" else 1) * width))
    is_cut = bool(node.integer("exclude_outside", 0))
    matrix: Array = np.zeros((output_size, size))
    for row, coordinate in enumerate(coordinates):
        taps = np.arange(int(np.floor(coordinate)) - reach, int(np.floor(coordinate)) + reach + 2)
        distance = np.abs(taps - coordinate) / width
        weights = _cubic(distance, coefficient) if mode == "cubic" else np.maximum(1.0 - distance, 0.0)
        if is_cut:
            weights = np.where((taps >= 0) & (taps < size), weights, 0.0)
        np.add.at(matrix[row], np.clip(taps, 0, size - 1), weights / weights.sum())
    return matrix


def _cubic(distance: Array, a: float) -> Array:
    """Return the weights of cubic convolution.

    Source: Keys 1981.
    """
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    weights: Array = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return weights


def _coordinates(node: OnnxNode, size: int, output_size: int, scale: float) -> Array:
    """Return where in the input each output place lies."""
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
        raise node.refuse(f"the coordinate rule '{rule}' is not supported", "resize the whole image, without a crop")
    return places
