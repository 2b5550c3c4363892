"""Activation functions of the ReLU family, which become neurons; the smooth ones are lifted as they stand."""

import torch
from torch import nn

from seenn_convert.frontend.torch.aten.functional import as_it_stands, elementwise
from seenn_convert.frontend.torch.aten.registry import TRAINING, Result, handles
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, rank_of
from seenn_convert.ir.operators import Affine, AtenOperator, ClippedReLU

FAR = -32.0
"""A lower bound from which on the sum with an activation would lose digits that matter."""


@handles("relu", "threshold", any_layout=True)
def relu(call: Call) -> Result:
    """ReLU."""
    if "threshold" in call.arguments and (call.number("threshold"), call.number("value")) != (0, 0):
        return elementwise(call)
    return Lifted(nn.ReLU(), (call.tensor("self"),))


@handles("relu6", any_layout=True)
def relu6(call: Call) -> Result:
    """ReLU6."""
    return Lifted(ClippedReLU(6.0), (call.tensor("self"),))


@handles("hardtanh", "clamp", "clamp_min", "clip", any_layout=True)
def clamp(call: Call) -> Result:
    """Clamp: from 0 a ReLU; between two numbers a clipped ReLU, moved; else an elementwise operator.

    ``clamp(x, a, b) = a + min(max(x - a, 0), b - a)``. A bound that no number of the type passes is none. Far below 0
    the sum would round activations away, so such a clamp stays as it is.
    """
    if call.is_activation("min") or call.is_activation("max"):
        return elementwise(call)
    source = call.tensor("self")
    dtype = source.meta["val"].dtype
    bounds = [call.constant(f"{name}_val" if f"{name}_val" in call.arguments else name) for name in ("min", "max")]
    if any(bound is not None and bound.numel() != 1 for bound in bounds):
        return elementwise(call)
    given = [None if bound is None else float(bound) for bound in bounds]
    low, high = (None if bound is None or abs(bound) >= torch.finfo(dtype).max else bound for bound in given)
    if low == 0 and high is None:
        return Lifted(nn.ReLU(), (source,))
    if _excludes_all(given[0], given[1], torch.finfo(dtype).max):
        return elementwise(call)
    if low is None and high is None:
        return Lifted(nn.Identity(), (source,))
    if low is None or high is None or high <= low or low <= FAR:
        return elementwise(call) if [low, high] == given else Lifted(_clamp(low, high), (source,))
    if low == 0:
        return Lifted(ClippedReLU(high), (source,))
    moved = Lifted(_shift(-low, dtype), (source,))
    return Lifted(_shift(low, dtype), (Lifted(ClippedReLU(high - low), (moved,)),))


@handles("leaky_relu", any_layout=True)
def leaky_relu(call: Call) -> Result:
    """LeakyReLU."""
    return Lifted(nn.LeakyReLU(call.number("negative_slope") or 0.0), (call.tensor("self"),))


@handles("rrelu", any_layout=True)
def rrelu(call: Call) -> Result:
    """RReLU, at inference a LeakyReLU of the mean slope."""
    if call.flag("training"):
        raise Refusal(TRAINING)
    slope = ((call.number("lower") or 0.0) + (call.number("upper") or 0.0)) / 2
    return Lifted(nn.LeakyReLU(slope), (call.tensor("self"),))


@handles("prelu", "_prelu_kernel")
def prelu(call: Call) -> Result:
    """PReLU: a slope for each channel, or one for all."""
    weight, source = call.weight("weight").flatten(), call.tensor("self")
    if call.per_part:
        raise Refusal("its channels belong to parts of a row, which cannot be converted yet")
    if weight.numel() == 1:
        return Lifted(nn.LeakyReLU(float(weight)), (source,))
    if rank_of(source) < 2 or call.sizes(source)[1] != weight.numel():
        raise Refusal("its slopes are not one number per channel")
    layer = nn.PReLU(weight.numel(), device="meta")
    layer.weight = nn.Parameter(weight.detach().clone(), requires_grad=False)
    return Lifted(layer, (source,))


handles("hardswish", "log_sigmoid", any_layout=True)(as_it_stands)  # elementwise, though PyTorch does not tag them so


def _excludes_all(low: float | None, high: float | None, most: float) -> bool:
    """Return whether a bound lies beyond all numbers on the wrong side, so that the clamp is a constant."""
    return (low is not None and not low < most) or (high is not None and not high > -most)


def _clamp(low: float | None, high: float | None) -> AtenOperator:
    return AtenOperator("clamp.default", ("@0", low, high))


def _shift(amount: float, dtype: torch.dtype) -> Affine:
    return Affine(torch.tensor(1.0, dtype=dtype), torch.tensor(amount, dtype=dtype))
