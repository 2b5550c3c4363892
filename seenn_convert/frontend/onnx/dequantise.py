"""What quantised numbers stand for: ``(q - zero) * scale``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_RANGES = {
    "uint2": (0, 3), "int2": (-2, 1), "uint4": (0, 15), "int4": (-8, 7), "uint8": (0, 255), "int8": (-128, 127),
    "uint16": (0, 65535), "int16": (-32768, 32767),
}  # fmt: skip


@dataclass(frozen=True)
class Form:
    """Scale and zero point of a quantised tensor; the type of the zero point is that of its numbers."""

    scale: Array
    zero: Array

    def equals(self, other: "Form") -> bool:
        """Tell whether both stand for the same numbers."""
        return bool(np.array_equal(self.scale, other.scale) and np.array_equal(self.zero, other.zero))


WHOLE = Form(np.ones((), np.float32), np.zeros((), np.uint8))
"""Of whole numbers that stand for themselves."""


def range_of(form: Form) -> tuple[Array, Array]:
    """Return the least and the largest number that a form can hold, float32.

    Raises:
        ValueError: Its numbers are not whole.
    """
    name = form.zero.dtype.name
    if name not in _RANGES:
        raise ValueError(f"numbers of type {name} are not supported")
    low, high = _RANGES[name]
    zero = form.zero.astype(np.float32)
    scale = form.scale.astype(np.float32)
    return (low - zero) * scale, (high - zero) * scale


def dequantised(weight: Array, scale: Array, zero: Array, axis: int, block_size: int = 0) -> Array:
    """Return what quantised weights stand for, in the type of the scale.

    Args:
        weight: Whole numbers, or floats of 8 bits.
        scale: One number, one for each place along ``axis``, or one for each block of ``block_size`` along it.
        zero: As ``scale``.
        axis: From the front, or from the back if negative.
        block_size: 0 where there are no blocks.

    Raises:
        ValueError: The shapes do not fit.
    """
    if scale.size == 1 and zero.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    elif not -weight.ndim <= axis < weight.ndim:
        raise ValueError(f"axis {axis} does not exist in weights of {weight.ndim} dimensions")
    elif block_size:
        places = range(weight.shape[axis])
        scale, zero = (np.repeat(one, block_size, axis).take(places, axis) for one in (scale, zero))
    else:
        row = [1] * weight.ndim
        row[axis] = -1
        scale, zero = (one.reshape(row) if one.ndim == 1 else one for one in (scale, zero))
    whole = np.int64 if weight.dtype.name in (*_RANGES, "int32") else np.float32
    dense: Array = (weight.astype(whole) - zero.astype(whole)).astype(scale.dtype) * scale
    if dense.shape != weight.shape:
        raise ValueError(f"scales of shape {scale.shape} do not fit weights of shape {weight.shape}")
    return dense


def bounds_of_bits(
    scale: Array, zero: Array, bits: Array, signed: int = 1, narrow: int = 0, **_: object
) -> tuple[Array, Array]:
    """Return the least and the largest number of a QONNX ``Quant`` node, float32."""
    count = float(2.0 ** float(np.asarray(bits).reshape(-1)[0]))
    low, high = (-count / 2 + narrow, count / 2 - 1) if signed else (0.0, count - 1 - narrow)
    found = [((bound - zero) * scale).astype(np.float32) for bound in (low, high)]
    return found[0], found[1]


def rounded(
    weight: Array, scale: Array, zero: Array, bits: Array, rounding_mode: str = "ROUND", **options: Any
) -> Array:
    """Return weights as a QONNX ``Quant`` node rounds them."""
    low, high = bounds_of_bits(scale, zero, bits, **options)
    functions = {"ROUND": np.rint, "HALF_EVEN": np.rint, "FLOOR": np.floor, "CEIL": np.ceil, "ROUND_TO_ZERO": np.trunc}
    if rounding_mode.upper() not in functions:
        raise ValueError(f"rounding mode {rounding_mode} is not supported")
    whole = functions[rounding_mode.upper()](weight / scale + zero)
    found: Array = np.clip((whole - zero) * scale, low, high).astype(np.float32)
    return found
