"""Sums, products, means and what joins tensors."""

from dataclasses import replace

import torch
from torch import Tensor, fx, nn

from seenn_convert.frontend.torch.aten.functional import as_it_stands, elementwise
from seenn_convert.frontend.torch.aten.registry import TRAINING, Result, handles, operator_of
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, Same, layout_of, rank_of
from seenn_convert.frontend.torch.layout import Layout
from seenn_convert.ir.operators import Add, Affine, AtenOperator, Concatenate, ConstantRow, Mean, Reshape, Subtract


@handles("add", "sub", "rsub", any_layout=True)
def add(call: Call) -> Result:
    """Sum or difference of two activations, or of an activation and a constant."""
    name = operator_of(call.node.target)
    alpha = call.number("alpha")
    alpha = 1.0 if alpha is None else float(alpha)
    if name == "rsub":
        return _affine(call, "self", scale=_exact(-alpha), shift=call.weight("other"))
    sign = alpha if name == "add" else -alpha
    if not call.is_activation("other"):
        return _affine(call, "self", scale=_exact(1.0), shift=sign * call.weight("other"))
    if not call.is_activation("self"):
        return _affine(call, "other", scale=_exact(sign), shift=call.weight("self"))
    first, second = call.tensor("self"), call.tensor("other")
    if rank_of(first) != rank_of(second):
        raise Refusal("it adds tensors of unequal rank, so rows would depend on each other; unsqueeze one of them")
    if abs(sign) == 1:
        return Lifted(Add() if sign == 1 else Subtract(), (first, second))
    scale = torch.tensor(sign, dtype=second.meta["val"].dtype)
    return Lifted(Add(), (first, Lifted(Affine(scale, torch.zeros_like(scale)), (second,))))


@handles("mul", "div", any_layout=True)
def multiply(call: Call) -> Result:
    """Product with, or quotient by, a constant; between activations an elementwise operator."""
    name = operator_of(call.node.target)
    if call.is_activation("other") and (call.is_activation("self") or name == "div"):
        return elementwise(call)
    if call.value("rounding_mode") is not None:
        return elementwise(call)
    zero = _exact(0.0)
    if name == "div":
        return _affine(call, "self", scale=1.0 / call.weight("other"), shift=zero)
    which, other = ("self", "other") if call.is_activation("self") else ("other", "self")
    return _affine(call, which, scale=call.weight(other), shift=zero)


@handles("neg", any_layout=True)
def negate(call: Call) -> Result:
    """Change of sign."""
    return _affine(call, "self", scale=_exact(-1.0), shift=_exact(0.0))


@handles("cat", "concat", "concatenate", any_layout=True)
def concatenate(call: Call) -> Result:
    """Join tensors along any axis but the batch; a constant joins every row."""
    parts = call.value("tensors")
    assert isinstance(parts, (list, tuple))
    return _join(call, parts, call.integer("dim"))


@handles("stack")
def stack(call: Call) -> Result:
    """Join tensors along a new axis; one in front of the batch is the first of a row's, and the batch behind it."""
    parts = call.value("tensors")
    assert isinstance(parts, (list, tuple))
    dim = call.integer("dim") % rank_of(call.node)
    axis = max(dim, 1)
    row = [size for place, size in enumerate(call.sizes(call.node)) if place not in (dim, 0 if dim else 1)]
    single = (*row[: axis - 1], 1, *row[axis - 1 :])
    columns = tuple(Lifted(Reshape(single), (_row_of(call, part, parts),)) for part in parts)
    return Lifted(Concatenate(axis), columns, None if dim else Layout(axis=1))


@handles("mean", any_layout=True)
def mean(call: Call) -> Result:
    """Mean over axes other than the batch."""
    source, dims, layout = _reduced(call)
    return Lifted(Mean(dims, call.flag("keepdim")), (source,), layout)


@handles("sum", "amax", "amin", "linalg_vector_norm", "var", "std", "logsumexp", "prod", any_layout=True)
@handles("kthvalue", "median", any_layout=True)
def reduction(call: Call) -> Result:
    """Any other reduction over axes other than the batch."""
    _, dims, layout = _reduced(call)
    one = as_it_stands(call, dim=dims if isinstance(call.value("dim"), (list, tuple)) else dims[0])
    return replace(one, layout=layout)


@handles("max", "min", any_layout=True)
def extreme(call: Call) -> Result:
    """The largest or smallest along an axis other than the batch; of two tensors, element by element."""
    if "other" in call.arguments:
        return elementwise(call)
    source, dims, layout = _reduced(call)
    name = "amax" if operator_of(call.node.target) == "max" else "amin"
    return Lifted(AtenOperator(f"{name}.default", ("@0", dims, call.flag("keepdim"))), (source,), layout)


@handles("cosine_similarity", any_layout=True)
def cosine_similarity(call: Call) -> Result:
    """Cosine of the angle of two tensors along an axis other than the batch; one of them may be constant."""
    first, second = ("x1", "x2") if call.is_activation("x1") else ("x2", "x1")
    source = call.tensor(first)
    rank = rank_of(call.tensor(second)) if call.is_activation(second) else call.weight(second).dim()
    if rank > rank_of(source) or (rank < rank_of(source) and call.is_activation(second)):
        raise Refusal("it joins tensors of unequal rank, so rows would depend on each other; unsqueeze one of them")
    (axis,), layout = _reduced(call, first)[1:]
    return replace(as_it_stands(call, dim=axis), layout=layout)


@handles("softmax", "log_softmax", "cumsum", "glu", "topk", "sort", "cummax", "cummin", any_layout=True)
def along_one_axis(call: Call) -> Result:
    """What works along one axis other than the batch."""
    return as_it_stands(call, dim=call.axis(call.integer("dim"), call.tensor("self")))


@handles("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout", any_layout=True)
def dropout(call: Call) -> Result:
    """Dropout, which is nothing at inference."""
    if call.flag("train"):
        raise Refusal(TRAINING)
    source = call.tensor("input" if "input" in call.arguments else "self")  # ``dropout_`` calls it ``self``
    return Lifted(nn.Dropout(float(call.number("p") or 0.0)), (source,))


@handles("contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as", "lift_fresh_copy", any_layout=True)
def copy(call: Call) -> Result:
    """A copy, or a cast to the type the tensor has."""
    return Same(call.tensor("self"))


@handles("copy", any_layout=True)
def overwrite(call: Call) -> Result:
    """A tensor overwritten by another of its shape: from there on, what is written."""
    if not call.is_activation("src"):
        return elementwise(call)
    if not call.is_activation("self"):
        raise Refusal("it writes the activation into a constant; use a call that returns its result")
    written, source = call.tensor("self"), call.tensor("src")
    if str(written.meta["val"].shape) != str(source.meta["val"].shape) or layout_of(written) != layout_of(source):
        raise Refusal("it copies into a tensor of another shape; write the result out")
    return Same(source)


def _reduced(call: Call, name: str = "self") -> tuple[fx.Node, tuple[int, ...], Layout]:
    """Return what is reduced, over which of the program's axes, and the layout of the result."""
    source = call.tensor(name)
    if call.value("dim") is None:
        raise Refusal("it works over the whole batch, so rows would depend on each other; name the axes")
    dims = tuple(call.axis(dim, source) for dim in call.integers("dim"))
    layout = call.layout(source)
    ahead = 0 if call.flag("keepdim") else sum(dim % rank_of(source) < layout.axis for dim in call.integers("dim"))
    return source, dims, replace(layout, axis=layout.axis - ahead)


def _join(call: Call, parts: "list[fx.Node] | tuple[fx.Node, ...]", dim: int) -> Lifted:
    like = next(part for part in parts if part not in call.constants)
    axis = call.axis(dim, like)
    return Lifted(Concatenate(axis), tuple(_row_of(call, part, parts) for part in parts))


def _row_of(call: Call, part: fx.Node, parts: "list[fx.Node] | tuple[fx.Node, ...]") -> fx.Node | Lifted:
    """Return ``part``, or a call that gives it to every row where it is a constant."""
    if part not in call.constants:
        return part
    like = next(other for other in parts if other not in call.constants)
    value = call.row(call.constants[part], like).to(like.meta["val"].dtype)
    return Lifted(ConstantRow(value), (call.image(),))


def _affine(call: Call, name: str, scale: Tensor, shift: Tensor) -> Lifted:
    source = call.tensor(name)
    dtype = source.meta["val"].dtype
    if rank_of(call.node) != rank_of(source):
        raise Refusal("its constant has more axes than the activation")
    return Lifted(Affine(call.row(scale, source).to(dtype), call.row(shift, source).to(dtype)), (source,))


def _exact(value: float) -> Tensor:
    """Return a number as a tensor that loses nothing of it; ``_affine`` gives it the type of the activation."""
    return torch.tensor(value, dtype=torch.float64)
