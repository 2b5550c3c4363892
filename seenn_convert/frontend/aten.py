"""What each aten call becomes: one small function per family of operators, and the table that finds it."""

from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

from seenn_convert.frontend.call import Call, Lifted, Refusal, Same, rank_of, shape_of
from seenn_convert.operators import (
    Add,
    Affine,
    ClippedReLU,
    Concatenate,
    Mean,
    Pad,
    Permute,
    Reshape,
    Slice,
    Subtract,
)

Result = Lifted | Same | list[Lifted]
Handler = Callable[[Call], Result]
HANDLERS: dict[str, Handler] = {}

TRAINING = "it is in training mode; call model.eval() before the model is exported"


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Enter a function in the table for the aten operators ``names``; overloads and in-place forms share a name."""

    def enter(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return enter


@handles("conv1d", "conv2d", "convolution")
def convolution(call: Call) -> Result:
    """Convolution with any stride, dilation, groups and padding; ``"same"`` and ``"valid"`` included."""
    weight, bias = call.weight("weight"), call.constant("bias")
    if call.flag("transposed"):
        raise Refusal("transposed convolution has no conversion yet")
    dimensions = weight.dim() - 2
    if dimensions not in (1, 2):
        raise Refusal(f"convolution over {dimensions} axes has no conversion yet")
    if rank_of(call.tensor("input")) != weight.dim():
        raise Refusal("it takes the batch axis for channels; give it an input with a batch axis")
    padding = call.value("padding")
    groups = call.integer("groups")
    kind: Callable[..., nn.Module] = nn.Conv1d if dimensions == 1 else nn.Conv2d
    layer = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=_spread(call.integers("stride"), dimensions),
        padding=padding if isinstance(padding, str) else _spread(call.integers("padding"), dimensions),
        dilation=_spread(call.integers("dilation"), dimensions),
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    return Lifted(_with_weights(layer, weight, bias), (call.tensor("input"),))


@handles("linear", "addmm", "mm")
def linear(call: Call) -> Result:
    """Fully connected layer, also in its decomposed form, where the weight is transposed."""
    if "mat2" in call.arguments:
        return _matrix_product(call)
    weight, bias = call.weight("weight"), call.constant("bias")
    if rank_of(call.tensor("input")) < 2:
        raise Refusal("it takes the batch axis for features; give it an input with a batch axis")
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return Lifted(_with_weights(layer, weight, bias), (call.tensor("input"),))


@handles("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
def batch_norm(call: Call) -> Result:
    """Batch norm with its running statistics."""
    if call.flag("training"):
        raise Refusal(TRAINING)
    source = call.tensor("input")
    if rank_of(source) not in (2, 3, 4):
        raise Refusal(f"batch norm over {rank_of(source) - 2} axes has no conversion yet")
    mean, variance = call.constant("running_mean"), call.constant("running_var")
    if mean is None or variance is None:
        raise Refusal("it normalises by the statistics of the batch; only running statistics can be converted")
    kind = nn.BatchNorm2d if rank_of(source) == 4 else nn.BatchNorm1d
    layer = kind(mean.numel(), eps=call.number("eps") or 0.0, affine=True)
    weight, bias = call.constant("weight"), call.constant("bias")
    layer.weight = _parameter(torch.ones_like(mean) if weight is None else weight)
    layer.bias = _parameter(torch.zeros_like(mean) if bias is None else bias)
    layer.running_mean, layer.running_var = mean.detach().clone(), variance.detach().clone()
    layer.num_batches_tracked = None
    return Lifted(layer, (source,))


@handles("relu", "threshold")
def relu(call: Call) -> Result:
    """ReLU."""
    if "threshold" in call.arguments and (call.number("threshold"), call.number("value")) != (0, 0):
        raise Refusal("only a threshold at 0 is a ReLU")
    return Lifted(nn.ReLU(), (call.tensor("self"),))


@handles("relu6")
def relu6(call: Call) -> Result:
    """ReLU6."""
    return Lifted(ClippedReLU(6.0), (call.tensor("self"),))


@handles("hardtanh", "clamp", "clamp_min", "clip")
def clamp(call: Call) -> Result:
    """Clamp from 0, with or without an upper end."""
    low = _scalar(call, "min_val" if "min_val" in call.arguments else "min")
    high = _scalar(call, "max_val" if "max_val" in call.arguments else "max")
    if low != 0 or (high is not None and high <= 0):
        shown = f"from {'below' if low is None else low} to {'above' if high is None else high}"
        raise Refusal(f"clamp {shown} has no conversion yet; only clamps from 0 to a positive number have")
    return Lifted(nn.ReLU() if high is None else ClippedReLU(high), (call.tensor("self"),))


@handles("leaky_relu")
def leaky_relu(call: Call) -> Result:
    """LeakyReLU."""
    return Lifted(nn.LeakyReLU(call.number("negative_slope") or 0.0), (call.tensor("self"),))


@handles("max_pool1d", "max_pool2d", "max_pool2d_with_indices")
def max_pool(call: Call) -> Result:
    """Max pooling with all its options."""
    kind = nn.MaxPool1d if "1d" in _overload_name(call) else nn.MaxPool2d
    size = call.integers("kernel_size")
    layer = kind(
        _single(size),
        stride=_single(call.integers("stride") or size),
        padding=_single(call.integers("padding")),
        dilation=_single(call.integers("dilation")),
        ceil_mode=call.flag("ceil_mode"),
    )
    return Lifted(layer, (call.tensor("self"),))


@handles("avg_pool1d", "avg_pool2d")
def average_pool(call: Call) -> Result:
    """Average pooling with all its options."""
    size = call.integers("kernel_size")
    options = {
        "kernel_size": _single(size),
        "stride": _single(call.integers("stride") or size),
        "padding": _single(call.integers("padding")),
        "ceil_mode": call.flag("ceil_mode"),
        "count_include_pad": call.flag("count_include_pad"),
    }
    if "divisor_override" not in call.arguments:
        return Lifted(nn.AvgPool1d(**options), (call.tensor("self"),))  # type: ignore[arg-type]
    divisor = call.number("divisor_override")
    pool = nn.AvgPool2d(**options, divisor_override=None if divisor is None else int(divisor))  # type: ignore[arg-type]
    return Lifted(pool, (call.tensor("self"),))


@handles("adaptive_avg_pool1d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d")
@handles("adaptive_max_pool1d", "adaptive_max_pool2d")
def adaptive_pool(call: Call) -> Result:
    """Adaptive pooling to a fixed size."""
    name = _overload_name(call).lstrip("_")
    kinds: dict[str, type[nn.Module]] = {
        "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
        "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
        "adaptive_max_pool1d": nn.AdaptiveMaxPool1d,
        "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    }
    return Lifted(kinds[name](_single(call.integers("output_size"))), (call.tensor("self"),))


@handles("add", "sub", "rsub")
def add(call: Call) -> Result:
    """Sum or difference of two activations, or of an activation and a constant."""
    name = _overload_name(call)
    alpha = call.number("alpha")
    alpha = 1.0 if alpha is None else float(alpha)
    if name == "rsub":
        return _affine(call, "self", scale=_exact(-alpha), shift=call.weight("other"))
    sign = alpha if name == "add" else -alpha
    if not call.is_activation("other"):
        return _affine(call, "self", scale=_exact(1.0), shift=sign * call.weight("other"))
    if not call.is_activation("self"):
        return _affine(call, "other", scale=_exact(sign), shift=call.weight("self"))
    if abs(sign) != 1:
        raise Refusal("a sum with 'alpha' other than 1 has no conversion; multiply by the constant first")
    if rank_of(call.tensor("self")) != rank_of(call.tensor("other")):
        raise Refusal("it adds tensors of unequal rank, so rows would depend on each other; unsqueeze one of them")
    return Lifted(Add() if sign == 1 else Subtract(), (call.tensor("self"), call.tensor("other")))


@handles("mul", "div")
def multiply(call: Call) -> Result:
    """Product with, or quotient by, a constant."""
    name = _overload_name(call)
    if call.is_activation("self") and call.is_activation("other"):
        raise Refusal("a product of two activations has no conversion yet")
    if call.value("rounding_mode") is not None:
        raise Refusal("a rounded quotient has no conversion")
    zero = _exact(0.0)
    if name == "div":
        if call.is_activation("other"):
            raise Refusal("a constant divided by an activation has no conversion yet")
        return _affine(call, "self", scale=1.0 / call.weight("other"), shift=zero)
    which, other = ("self", "other") if call.is_activation("self") else ("other", "self")
    return _affine(call, which, scale=call.weight(other), shift=zero)


@handles("neg")
def negate(call: Call) -> Result:
    """Change of sign."""
    return _affine(call, "self", scale=_exact(-1.0), shift=_exact(0.0))


@handles("cat", "concat", "concatenate")
def concatenate(call: Call) -> Result:
    """Join activations along any axis but the batch."""
    parts = call.value("tensors")
    if not isinstance(parts, (list, tuple)) or any(p in call.constants for p in parts):
        raise Refusal("it joins an activation with a constant, which has no conversion yet")
    return Lifted(Concatenate(_axis(call.integer("dim"), parts[0])), tuple(parts))


@handles("mean")
def mean(call: Call) -> Result:
    """Mean over axes other than the batch."""
    if call.value("dim") is None:
        raise Refusal("it takes the mean over the whole batch, so rows would depend on each other")
    source = call.tensor("self")
    dims = tuple(_axis(dim, source) for dim in call.integers("dim"))
    return Lifted(Mean(dims, call.flag("keepdim")), (source,))


@handles("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
def reshape(call: Call) -> Result:
    """Any change of shape that leaves the batch in front."""
    source = call.tensor("self")
    before, after = source.meta["val"].shape, call.node.meta["val"].shape
    if not after or before[0] != after[0]:
        raise Refusal("it reshapes the batch axis, so rows would depend on each other")
    return Lifted(Reshape(shape_of(call.node)), (source,))


@handles("permute", "transpose", "t")
def permute(call: Call) -> Result:
    """Any order of the axes that leaves the batch in front."""
    source = call.tensor("self")
    rank = rank_of(source)
    if "dims" in call.arguments:
        dims = [dim % rank for dim in call.integers("dims")]
    else:
        dims = list(range(rank))
        named = "dim0" in call.arguments  # ``t`` names no axes: it swaps the first two
        first, second = (call.integer("dim0") % rank, call.integer("dim1") % rank) if named else (0, rank - 1)
        dims[first], dims[second] = dims[second], dims[first]
    if dims[0] != 0:
        raise Refusal("it moves the batch axis, so rows would depend on each other")
    return Lifted(Permute(dims), (source,))


@handles("pad", "constant_pad_nd")
def pad(call: Call) -> Result:
    """Padding with a constant on any axis but the batch."""
    if call.value("mode") not in (None, "constant"):
        raise Refusal(f"padding of mode '{call.value('mode')}' has no conversion yet")
    amounts = call.integers("pad")
    source = call.tensor("self")
    if len(amounts) // 2 >= rank_of(source) and any(amounts[2 * rank_of(source) - 2 :]):
        raise Refusal("it pads the batch axis")
    value = call.number("value") or 0.0
    if abs(value) == float("inf"):
        raise Refusal("padding with infinity has no conversion yet")
    return Lifted(Pad(amounts, float(value)), (source,))


@handles("slice", "narrow")
def slice_axis(call: Call) -> Result:
    """A slice along any axis but the batch; a full slice is nothing."""
    source = call.tensor("self")
    dim = call.integer("dim") % rank_of(source)
    if source.meta["val"].shape == call.node.meta["val"].shape:
        return Same(source)
    if dim == 0:
        raise Refusal("it takes part of the batch")
    size, first, last = shape_of(source)[dim - 1], int(call.number("start") or 0), call.number("end")
    if "length" in call.arguments:
        first %= size
        last = first + call.integer("length")
    bounds = slice(first, None if last is None else int(last), int(call.number("step") or 1))
    return Lifted(Slice(dim, *bounds.indices(size)), (source,))


@handles("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk")
def split(call: Call) -> Result:
    """Parts along any axis but the batch, one slice a part."""
    source = call.tensor("self")
    dim = _axis(call.integer("dim"), source)
    parts, start = [], 0
    for part in call.node.meta["val"]:
        size = part.shape[dim]
        parts.append(Lifted(Slice(dim, start, start + int(size)), (source,)))
        start += int(size)
    return parts


@handles("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout")
def dropout(call: Call) -> Result:
    """Dropout, which is nothing at inference."""
    if call.flag("train"):
        raise Refusal(TRAINING)
    source = call.tensor("input" if "input" in call.arguments else "self")  # ``dropout_`` calls it ``self``
    return Lifted(nn.Dropout(float(call.number("p") or 0.0)), (source,))


@handles("contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as", "lift_fresh_copy")
def copy(call: Call) -> Result:
    """A copy, or a cast to the type the tensor has."""
    return Same(call.tensor("self"))


def _affine(call: Call, name: str, scale: Tensor, shift: Tensor) -> Lifted:
    source = call.tensor(name)
    rank, dtype = rank_of(source), source.meta["val"].dtype
    if rank_of(call.node) != rank:
        raise Refusal("its constant has more axes than the activation")
    return Lifted(Affine(_row(scale, rank).to(dtype), _row(shift, rank).to(dtype)), (source,))


def _exact(value: float) -> Tensor:
    """Return a number as a tensor that loses nothing of it; ``_affine`` gives it the type of the activation."""
    return torch.tensor(value, dtype=torch.float64)


def _row(constant: Tensor, rank: int) -> Tensor:
    """Drop the batch axis of a constant, so that it broadcasts against one row."""
    if constant.dim() == rank:
        if constant.shape[0] != 1:
            raise Refusal("its constant differs between the rows of the batch")
        return constant[0]
    return constant


def _matrix_product(call: Call) -> Result:
    """Return the layer of ``beta * self + alpha * mat1 @ mat2`` with a constant ``mat2``."""
    name = "mat1" if "mat1" in call.arguments else "self"
    bias = call.constant("self") if name == "mat1" else None
    if {call.number("alpha"), call.number("beta")} - {None, 1}:
        raise Refusal("a scaled matrix product has no conversion; scale the weight instead")
    if bias is not None and bias.dim() != 1:
        raise Refusal("its bias differs between the rows of the batch")
    weight = call.weight("mat2").t().contiguous()
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    return Lifted(_with_weights(layer, weight, bias), (call.tensor(name),))


def _overload_name(call: Call) -> str:
    """Return the name of the aten operator, that of its in-place form included: ``add`` for ``aten::add_``."""
    name: str = call.node.target._schema.name.split("::")[1]  # type: ignore[union-attr]
    return name.rstrip("_")


def _scalar(call: Call, name: str) -> float | None:
    """Return the number ``name``, also where it is given as a constant tensor of one element."""
    constant = call.constant(name)
    if constant is not None and constant.numel() != 1:
        raise Refusal(f"its argument '{name}' differs between neurons, which has no conversion yet")
    return None if constant is None else float(constant)


def _axis(dim: int, source: fx.Node) -> int:
    axis = dim % rank_of(source)
    if axis == 0:
        raise Refusal("it works along the batch axis, so rows would depend on each other")
    return axis


def _spread(values: tuple[int, ...], dimensions: int) -> tuple[int, ...]:
    return values * dimensions if len(values) == 1 else values


def _single(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else values


def _parameter(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.detach().clone(), requires_grad=False)


def _with_weights(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    layer.weight = _parameter(weight)
    if bias is not None:
        layer.bias = _parameter(bias)
    return layer
