"""Elementwise ATen operators in ONNX."""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch

from seenn_convert.exporters.onnx.aten.call import Argument, AtenTranslation, Call, promoted
from seenn_convert.exporters.onnx.graph import UntranslatableError

FLOAT = torch.float32


def _plain(kind: str, call: Call) -> str:
    """Write a function of one number that ONNX has under another name."""
    return call.graph.op(kind, _floating(call))


def _any(kind: str, call: Call) -> str:
    """Write a function of one number of any type."""
    return call.graph.op(kind, call.x)


def _both(kind: str, call: Call) -> str:
    """Write an operation on two numbers."""
    one, other = _two(call)
    dtype = promoted(one, other)
    return call.graph.op(kind, call.operand(one, dtype), call.operand(other, dtype))


def _scaled(kind: str, swapped: bool, call: Call) -> str:
    """Write ``x + alpha * y`` or ``x - alpha * y``, or the latter with its sides swapped."""
    one, other = _two(call)
    dtype, g = promoted(one, other), call.graph
    left, right = call.operand(one, dtype), call.operand(other, dtype)
    if call.given.get("alpha", 1) != 1:
        scaled = left if swapped else right
        scaled = g.op("Mul", scaled, g.number(call["alpha"], dtype))
        left, right = (scaled, right) if swapped else (left, scaled)
    return g.op(kind, right, left) if swapped else g.op(kind, left, right)


def _divided(call: Call) -> str:
    one, other, mode, g = *_two(call), call.given.get("rounding_mode"), call.graph
    dtype = promoted(one, other)
    dtype = dtype if dtype.is_floating_point else FLOAT
    result = g.op("Div", call.operand(one, dtype), call.operand(other, dtype))
    if mode == "floor":
        return g.op("Floor", result)
    return _truncated(call, result) if mode == "trunc" else result


def _truncated(call: Call, value: str) -> str:
    g = call.graph
    return g.op("Mul", g.op("Sign", value), g.op("Floor", g.op("Abs", value)))


def _remainder(call: Call) -> str:
    one, other = _two(call)
    g, dtype = call.graph, promoted(one, other)
    x, y = call.operand(one, dtype), call.operand(other, dtype)
    if not dtype.is_floating_point:
        return g.op("Mod", x, y)
    return g.op("Sub", x, g.op("Mul", g.op("Floor", g.op("Div", x, y)), y))


def _fmod(call: Call) -> str:
    one, other = _two(call)
    dtype = promoted(one, other)
    return call.graph.op("Mod", call.operand(one, dtype), call.operand(other, dtype), fmod=1)


def _power(call: Call) -> str:
    base, exponent = call["self"], call["exponent"]
    if exponent == 2:
        return call.graph.op("Mul", call.x, call.x)
    dtype = promoted(base, exponent)
    return call.graph.op("Pow", call.operand(base, dtype), call.operand(exponent, dtype))


def _compared(kind: str, call: Call) -> str:
    one, other = _two(call)
    dtype = promoted(one, other)
    g, dtype = call.graph, torch.int64 if dtype == torch.bool else dtype
    if kind == "NotEqual":
        return g.op("Not", g.op("Equal", call.operand(one, dtype), call.operand(other, dtype)))
    return g.op(kind, call.operand(one, dtype), call.operand(other, dtype))


def _logical(kind: str, call: Call) -> str:
    one, other = _two(call)
    if call.module.name.startswith("bitwise") and promoted(one, other) != torch.bool:
        raise UntranslatableError("it works on the bits of whole numbers", "write it by comparisons of numbers")
    return call.graph.op(kind, call.operand(one, torch.bool), call.operand(other, torch.bool))


def _not(call: Call) -> str:
    if call.module.name == "bitwise_not" and call.x.dtype != torch.bool:
        raise UntranslatableError("it works on the bits of whole numbers", "write it by comparisons of numbers")
    return call.graph.op("Not", call.operand(call.x, torch.bool))


def _clamped(call: Call) -> str:
    low, high, g = call.given.get("min"), call.given.get("max"), call.graph
    limits = [limit for limit in (low, high) if limit is not None]
    dtype = promoted(call.x, *limits)
    value = call.operand(call.x, dtype)
    if low is not None:
        value = g.op("Max", value, call.operand(low, dtype))
    return value if high is None else g.op("Min", value, call.operand(high, dtype))


def _chosen(call: Call) -> str:
    one, other = _two(call)
    dtype = promoted(one, other)
    condition = call.operand(call["condition"], torch.bool)
    return call.graph.op("Where", condition, call.operand(one, dtype), call.operand(other, dtype))


def _filled(call: Call) -> str:
    x, fill = call["self"], call["value"]
    dtype = x.dtype
    mask = call.operand(call["mask"], torch.bool)
    return call.graph.op("Where", mask, call.operand(fill, dtype), call.operand(x, dtype))


def _silu(call: Call) -> str:
    return call.graph.op("Mul", call.x, call.graph.op("Sigmoid", call.x))


def _gelu(call: Call) -> str:
    return call.graph.op("Gelu", call.x, approximate=call["approximate"])


def _elu(call: Call) -> str:
    g, x = call.graph, call.x
    inner = g.op("Mul", x, g.number(call["input_scale"])) if call["input_scale"] != 1 else x
    below = g.op("Mul", g.op("Sub", g.op("Exp", g.op("Min", inner, g.number(0.0))), g.number(1.0)),
                 g.number(call["alpha"]))  # fmt: skip
    result = g.op("Add", g.op("Relu", x), below)
    return result if call["scale"] == 1 else g.op("Mul", result, g.number(call["scale"]))


def _mixed(call: Call) -> str:
    g, dtype = call.graph, promoted(call["self"], call["end"], call["weight"])
    start, end, weight = (call.operand(call[name], dtype) for name in ("self", "end", "weight"))
    return g.op("Add", start, g.op("Mul", weight, g.op("Sub", end, start)))


def _length(call: Call) -> str:
    g, (one, other) = call.graph, _two(call)
    squares = (g.op("Mul", name, name) for name in (call.operand(one, FLOAT), call.operand(other, FLOAT)))
    return g.op("Sqrt", g.op("Add", *squares))


def _softplus(call: Call) -> str:
    g, x, beta = call.graph, call.x, float(call["beta"])
    scaled = g.op("Mul", x, g.number(beta))
    smooth = g.op("Div", g.op("Softplus", scaled), g.number(beta))
    return g.op("Where", g.op("Greater", scaled, g.number(float(call["threshold"]))), x, smooth)


def _threshold(call: Call) -> str:
    g = call.graph
    passes = g.op("Greater", call.x, g.number(call["threshold"]))
    return g.op("Where", passes, call.x, g.number(call["value"]))


def _shrunk(soft: bool, call: Call) -> str:
    g, x, bound = call.graph, call.x, call.graph.number(call["lambd"])
    size = g.op("Abs", x)
    kept = g.op("Mul", g.op("Sign", x), g.op("Sub", size, bound)) if soft else x.name
    return g.op("Where", g.op("Greater", size, bound), kept, g.number(0.0))


def _rounded(call: Call) -> str:
    decimals, g = call.given.get("decimals", 0), call.graph
    if not decimals:
        return g.op("Round", call.x)
    power, (there, back) = g.number(10.0 ** abs(decimals)), ("Mul", "Div") if decimals > 0 else ("Div", "Mul")
    return g.op(back, g.op("Round", g.op(there, call.x, power)), power)


def _is_finite(call: Call) -> str:
    g = call.graph
    return g.op("Not", g.op("Or", g.op("IsNaN", call.x), g.op("IsInf", call.x)))


def _combined(kind: str, call: Call) -> str:
    g = call.graph
    dtype = promoted(call["self"], call["tensor1"], call["tensor2"])
    x, one, other = (call.operand(call[name], dtype) for name in ("self", "tensor1", "tensor2"))
    part = g.op(kind, one, other)
    return g.op("Add", x, part if call["value"] == 1 else g.op("Mul", part, g.number(call["value"])))


def _after(change: Callable[[Call, str], str], call: Call) -> str:
    """Write what ``change`` makes of the activation as a floating-point number."""
    return change(call, _floating(call))


def _log_of(base: float) -> AtenTranslation:
    return partial(_after, lambda c, x: c.graph.op("Div", c.graph.op("Log", x), c.graph.number(math.log(base))))


def _floating(call: Call) -> str:
    return call.x.name if call.x.dtype.is_floating_point else call.graph.cast(call.x, FLOAT)


def _two(call: Call) -> tuple[Argument, Argument]:
    return call["self"], call["other"]


_PLAIN = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "reciprocal": "Reciprocal",
    "erf": "Erf", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "mish": "Mish",
    "hardswish": "HardSwish",
}  # fmt: skip
_ANY = {
    "abs": "Abs", "neg": "Neg", "sign": "Sign", "sgn": "Sign", "floor": "Floor", "ceil": "Ceil", "relu": "Relu",
    "isnan": "IsNaN", "isinf": "IsInf", "positive": "Identity", "clone": "Identity",
}  # fmt: skip
_BOTH = {"mul": "Mul", "maximum": "Max", "minimum": "Min", "fmax": "Max", "fmin": "Min", "max": "Max", "min": "Min"}
_COMPARED = {
    "eq": "Equal", "ne": "NotEqual", "gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual",
}  # fmt: skip
_LOGICAL = {"and": "And", "or": "Or", "xor": "Xor"}

ELEMENTWISE: Mapping[str, AtenTranslation] = {
    **{name: partial(_plain, kind) for name, kind in _PLAIN.items()},
    **{name: partial(_any, kind) for name, kind in _ANY.items()},
    **{name: partial(_both, kind) for name, kind in _BOTH.items()},
    **{name: partial(_compared, kind) for name, kind in _COMPARED.items()},
    **{f"logical_{name}": partial(_logical, kind) for name, kind in _LOGICAL.items()},
    **{f"bitwise_{name}": partial(_logical, kind) for name, kind in _LOGICAL.items()},
    **{name: _not for name in ("logical_not", "bitwise_not")},
    "add": partial(_scaled, "Add", False),
    "sub": partial(_scaled, "Sub", False),
    "rsub": partial(_scaled, "Sub", True),
    **dict.fromkeys(("div", "true_divide"), _divided),
    "remainder": _remainder,
    "fmod": _fmod,
    "pow": _power,
    **{name: _clamped for name in ("clamp", "clip", "clamp_min", "clamp_max")},
    "where": _chosen,
    "masked_fill": _filled,
    "silu": _silu,
    "gelu": _gelu,
    "elu": _elu,
    "celu": lambda c: c.graph.op("Celu", c.x, alpha=float(c["alpha"])),
    "selu": lambda c: c.graph.op("Selu", c.x),
    "softplus": _softplus,
    "hardsigmoid": lambda c: c.graph.op("HardSigmoid", c.x, alpha=1 / 6, beta=0.5),
    "hardtanh": lambda c: c.graph.op("Clip", c.x, c.graph.number(c["min_val"]), c.graph.number(c["max_val"])),
    "leaky_relu": lambda c: c.graph.op("LeakyRelu", c.x, alpha=float(c["negative_slope"])),
    "relu6": lambda c: c.graph.op("Clip", c.x, c.graph.number(0.0), c.graph.number(6.0)),
    "threshold": _threshold,
    "lerp": _mixed,
    "hypot": _length,
    "hardshrink": partial(_shrunk, False),
    "softshrink": partial(_shrunk, True),
    "round": _rounded,
    "trunc": lambda c: _truncated(c, c.x.name),
    "frac": lambda c: c.graph.op("Sub", c.x, _truncated(c, c.x.name)),
    "square": lambda c: c.graph.op("Mul", c.x, c.x),
    "isfinite": _is_finite,
    "rsqrt": partial(_after, lambda c, x: c.graph.op("Reciprocal", c.graph.op("Sqrt", x))),
    "erfc": partial(_after, lambda c, x: c.graph.op("Sub", c.graph.number(1.0), c.graph.op("Erf", x))),
    "log1p": partial(_after, lambda c, x: c.graph.op("Log", c.graph.op("Add", x, c.graph.number(1.0)))),
    "expm1": partial(_after, lambda c, x: c.graph.op("Sub", c.graph.op("Exp", x), c.graph.number(1.0))),
    "exp2": partial(_after, lambda c, x: c.graph.op("Pow", c.graph.number(2.0), x)),
    "log2": _log_of(2.0),
    "log10": _log_of(10.0),
    "addcmul": partial(_combined, "Mul"),
    "addcdiv": partial(_combined, "Div"),
}
"""ATen name -> what it is in ONNX."""
