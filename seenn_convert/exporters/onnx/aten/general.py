"""ATen operators that are not elementwise in ONNX: products, normalisations, reductions, sorting, resizing."""

import math
from collections.abc import Mapping
from functools import partial

import torch

from seenn_convert.exporters.onnx.aten.call import AtenTranslation, Call
from seenn_convert.exporters.onnx.graph import UntranslatableError, Value
from seenn_convert.exporters.onnx.layers import pooled_maximum, pooled_mean
from seenn_convert.exporters.onnx.linear_maps import largest_of, moved, separable, summed

FLOAT = torch.float32
MOVING = (
    "roll", "flip", "repeat", "index_select", "select", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle",
    "upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact2d", "im2col", "unfold", "tril", "triu",
    "diagonal", "expand",
)  # fmt: skip
"""They move the numbers of a row, repeat them, or put zeros."""

INTERPOLATING = (
    "upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_bilinear2d_aa",
    "_upsample_bicubic2d_aa", "adaptive_avg_pool3d",
)  # fmt: skip
"""They take means along one axis after another."""


def _reduced(kind: str, call: Call) -> str:
    return call.graph.op(kind, call.x, call.graph.integers(*call.axes()), keepdims=int(call.given.get("keepdim", 0)))


def _softmax(kind: str, call: Call) -> str:
    return call.graph.op(kind, call.x, axis=call.axis())


def _product(call: Call) -> str:
    one, other = (call[name] for name in ("self", "other" if "other" in call.given else "mat2"))
    return call.graph.op("MatMul", call.operand(one, FLOAT), call.operand(other, FLOAT))


def _einsum(call: Call) -> str:
    operands = [call.operand(one, FLOAT) for one in call["tensors"]]
    return call.graph.op("Einsum", *operands, equation=call["equation"].replace(" ", ""))


def _attention(call: Call) -> str:
    """Write softmax(q k^T / sqrt(d) + mask) v."""
    g, query, key = call.graph, call["query"], call["key"]
    value = call["value"]
    if call.given.get("enable_gqa"):
        key, value = (_for_every_head(call, shared, query.shape[-3]) for shared in (key, value))
    scale = call["scale"] if call["scale"] is not None else 1 / math.sqrt(query.shape[-1])
    turned = [*range(key.rank - 2), key.rank - 1, key.rank - 2]
    scores = g.op("MatMul", g.op("Mul", query, g.number(scale)), g.op("Transpose", key, perm=turned))
    mask = call["attn_mask"]
    if call["is_causal"]:
        mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if mask is not None:
        if mask.dtype == torch.bool:
            scores = g.op("Where", call.operand(mask, torch.bool), scores, g.number(-math.inf))
        else:
            scores = g.op("Add", scores, call.operand(mask, FLOAT))
    return g.op("MatMul", g.op("Softmax", scores, axis=-1), value)


def _for_every_head(call: Call, shared: Value, heads: int) -> Value:
    """Return keys or values that several heads share, once for every head."""
    own, axis = shared.shape[-3], shared.rank - 3
    places = torch.arange(own).repeat_interleave(heads // own)
    name = call.graph.op("Gather", shared, call.graph.constant(places), axis=axis)
    return Value(name, (*shared.shape[:-3], heads, *shared.shape[-2:]), shared.dtype)


def _norm(call: Call) -> str:
    order, g = call["ord"], call.graph
    if order in (1, 2):
        return _reduced(f"ReduceL{order:g}", call)
    size, axes, keepdims = g.op("Abs", call.x), g.integers(*call.axes()), int(call["keepdim"])
    if math.isinf(order):
        return g.op("ReduceMax" if order > 0 else "ReduceMin", size, axes, keepdims=keepdims)
    if order == 0:
        raise UntranslatableError("a norm that counts", "count by comparisons and a sum")
    summed = g.op("ReduceSum", g.op("Pow", size, g.number(float(order))), axes, keepdims=keepdims)
    return g.op("Pow", summed, g.number(1 / order))


def _variance(call: Call) -> str:
    g, axes = call.graph, call.axes()
    keepdims = int(call.given.get("keepdim", False))
    count = math.prod(call.x.shape[axis - 1] for axis in axes)
    correction = call.given.get("correction", 1 if call.given.get("unbiased", True) else 0)
    correction = 1 if correction is None else correction
    centred = g.op("Sub", call.x, g.op("ReduceMean", call.x, g.integers(*axes), keepdims=1))
    summed = g.op("ReduceSum", g.op("Mul", centred, centred), g.integers(*axes), keepdims=keepdims)
    return g.op("Div", summed, g.number(float(count - correction)))


def _log_sum_exp(call: Call) -> str:
    g, axes, keepdims = call.graph, call.graph.integers(*call.axes()), int(call["keepdim"])
    largest = g.op("ReduceMax", call.x, axes, keepdims=1)
    summed = g.op("Log", g.op("ReduceSum", g.op("Exp", g.op("Sub", call.x, largest)), axes, keepdims=keepdims))
    return g.op("Add", summed, largest if keepdims else g.op("Squeeze", largest, axes))


def _log_sigmoid(call: Call) -> str:
    g = call.graph
    return g.op("Neg", g.op("Softplus", g.op("Neg", call.x)))


def _glu(call: Call) -> str:
    g = call.graph
    value, gate = g.ops("Split", call.x, outputs=2, axis=call.axis(), num_outputs=2)
    return g.op("Mul", value, g.op("Sigmoid", gate))


def _rms_norm(call: Call) -> str:
    g, x, count = call.graph, call.x, len(call["normalized_shape"])
    axes = g.integers(*range(x.rank - count, x.rank))
    epsilon = call["eps"] if call["eps"] is not None else torch.finfo(FLOAT).eps
    mean = g.op("ReduceMean", g.op("Mul", x, x), axes, keepdims=1)
    normal = g.op("Div", x, g.op("Sqrt", g.op("Add", mean, g.number(epsilon))))
    return normal if call["weight"] is None else g.op("Mul", normal, call.operand(call["weight"], FLOAT))


def _sorted(call: Call, count: int, largest: bool) -> str:
    sizes = call.graph.integers(count)
    return call.graph.op("TopK", call.x, sizes, outputs=2, axis=call.axis(), largest=int(largest), sorted=1)


def _top_k(call: Call) -> str:
    return _sorted(call, call["k"], call["largest"])


def _sort(call: Call) -> str:
    return _sorted(call, call.x.shape[call.axis() - 1], bool(call["descending"]))


def _kth(call: Call, k: int) -> str:
    g, found = call.graph, _sorted(call, k, largest=False)
    if call["keepdim"]:
        return g.op("Gather", found, g.integers(k - 1), axis=call.axis())
    return g.op("Gather", found, g.number(k - 1, torch.int64), axis=call.axis())


def _median(call: Call) -> str:
    return _kth(call, (call.x.shape[call.axis() - 1] + 1) // 2)


def _cosine(call: Call) -> str:
    g, one, other = call.graph, call["x1"], call["x2"]
    names = [call.operand(value, FLOAT) for value in (one, other)]
    axes, least = g.integers(call.axis()), g.number(call["eps"])
    lengths = [g.op("Max", g.op("ReduceL2", name, axes, keepdims=1), least) for name in names]
    unit = [g.op("Div", name, length) for name, length in zip(names, lengths, strict=True)]
    return g.op("ReduceSum", g.op("Mul", *unit), axes, keepdims=0)


def _sampled(call: Call) -> str:
    mode = ("linear", "nearest", "cubic")[call["interpolation_mode"]]
    padding = ("zeros", "border", "reflection")[call["padding_mode"]]
    if call.x.rank != 4:
        raise UntranslatableError("sampling of a volume", "export with --to pt2")
    return call.graph.op(
        "GridSample", call["input"], call.operand(call["grid"], FLOAT), mode=mode, padding_mode=padding,
        align_corners=int(call["align_corners"]),
    )  # fmt: skip


def _max_pool(call: Call) -> str:
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    size, stride, pads, gaps, ceil_mode = (call[name] for name in names)
    return pooled_maximum(call.graph, call.x, size, stride or size, pads, gaps, ceil_mode)


def _average_pool(call: Call) -> str:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    size, stride, pads, ceil_mode, counts, divisor = (call[name] for name in names)
    return pooled_mean(call.graph, call.x, size, stride or size, pads, ceil_mode, counts, divisor)


def _summed(call: Call) -> str:
    return call.graph.op("CumSum", call.x, call.graph.number(call.axis(), torch.int64))


def _extreme_so_far(kind: str, call: Call) -> str:
    """Write the largest, or smallest, up to each place of an axis."""
    length = call.x.shape[call.axis() - 1]
    if length > MOST_SO_FAR:
        raise UntranslatableError(f"it looks back over {length} places", "export with --to pt2")
    table = torch.arange(length).expand(length, length).tril()
    return largest_of(call.graph, call.x, call.axis(), table, kind)


def _windows_added(call: Call) -> str:
    """Write a sum of overlapping windows: the reverse of reading them."""
    elements = math.prod(call["kernel_size"])
    channels, windows = call.x.shape[0] // elements, call.x.shape[1]
    return summed(call.graph, call.alone(), call.x, (elements, windows), channels)


MOST_SO_FAR = 512
"""Places of an axis whose largest so far is written at most: the work grows with their square."""

GENERAL: Mapping[str, AtenTranslation] = {
    **{name: lambda c: moved(c.graph, c.alone(), c.x) for name in MOVING},
    **{name: lambda c: separable(c.graph, c.alone(), c.x, range(2, c.x.rank)) for name in INTERPOLATING},
    **{name: partial(_reduced, kind) for name, kind in (
        ("sum", "ReduceSum"), ("amax", "ReduceMax"), ("amin", "ReduceMin"), ("prod", "ReduceProd"),
    )},
    "softmax": partial(_softmax, "Softmax"),
    "log_softmax": partial(_softmax, "LogSoftmax"),
    **{name: _product for name in ("matmul", "bmm")},
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "linalg_vector_norm": _norm,
    "var": _variance,
    "std": lambda c: c.graph.op("Sqrt", _variance(c)),
    "logsumexp": _log_sum_exp,
    "log_sigmoid": _log_sigmoid,
    "glu": _glu,
    "rms_norm": _rms_norm,
    "topk": _top_k,
    "sort": _sort,
    "kthvalue": lambda c: _kth(c, c["k"]),
    "median": _median,
    "cosine_similarity": _cosine,
    "grid_sampler": _sampled,
    "max_pool3d": _max_pool,
    "avg_pool3d": _average_pool,
    "cumsum": _summed,
    "cummax": partial(_extreme_so_far, "ReduceMax"),
    "cummin": partial(_extreme_so_far, "ReduceMin"),
    "col2im": _windows_added,
}  # fmt: skip
"""ATen name -> what it is in ONNX."""
