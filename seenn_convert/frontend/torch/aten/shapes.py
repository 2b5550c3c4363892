"""What rearranges a row: views, permutations, slices, expansion, indexing."""

import torch
from torch import fx

from seenn_convert.frontend.torch.aten.functional import as_it_stands
from seenn_convert.frontend.torch.aten.registry import Result, handles
from seenn_convert.frontend.torch.call import Call, Constant, Lifted, Refusal, Same, rank_of
from seenn_convert.frontend.torch.layout import Layout, after_view
from seenn_convert.ir.operators import AtenOperator, Expand, Permute, Reshape, Slice


@handles("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as",
         any_layout=True)  # fmt: skip
def reshape(call: Call) -> Result:
    """Any change of shape that keeps rows whole, wherever the batch axis goes."""
    source = call.tensor("self")
    before, after = call.sizes(source), call.sizes(call.node)
    layout = after_view(call.layout(source), before, after, call.batch)
    if layout is None:
        raise Refusal("it reshapes the batch axis, so rows would depend on each other")
    return Lifted(Reshape(layout.shape(after)), (source,), layout)


@handles("permute", "transpose", "t", "swapaxes", "swapdims", "movedim", "mT", "mH", "adjoint",
         any_layout=True)  # fmt: skip
def permute(call: Call) -> Result:
    """Any order of the axes; the program keeps the batch in front."""
    source = call.tensor("self")
    order, layout = _order(call, source), call.layout(source)
    groups = layout.positions(rank_of(source))
    dims = (0, *(axis for dim in order for axis in groups[dim]))
    moved = Layout(order.index(layout.axis), layout.outer, layout.inner)
    return Lifted(Permute(dims), (source,), moved)


@handles("slice", "narrow", any_layout=True)
def slice_axis(call: Call) -> Result:
    """A slice along any axis but the batch; a full slice is nothing."""
    source = call.tensor("self")
    dim, sizes = call.integer("dim") % rank_of(source), call.sizes(source)
    if sizes == call.sizes(call.node):
        return Same(source)
    if dim == call.layout(source).axis:
        raise Refusal("it takes part of the batch")
    first, last = int(call.number("start") or 0), call.number("end")
    if "length" in call.arguments:
        first %= sizes[dim]
        last = first + call.integer("length")
    bounds = slice(first, None if last is None else int(last), int(call.number("step") or 1))
    return Lifted(Slice(call.axis(dim, source), *bounds.indices(sizes[dim])), (source,))


@handles("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk", any_layout=True)
def split(call: Call) -> Result:
    """Parts along any axis but the batch, one slice a part."""
    source = call.tensor("self")
    dim = call.integer("dim") % rank_of(source)
    axis, parts, start = call.axis(dim, source), [], 0
    for part in call.node.meta["val"]:
        size = int(part.shape[dim])
        parts.append(Lifted(Slice(axis, start, start + size), (source,)))
        start += size
    return parts


@handles("select", any_layout=True)
def select(call: Call) -> Result:
    """One place along an axis other than the batch; the axis goes."""
    source = call.tensor("self")
    dim = call.integer("dim") % rank_of(source)
    return _selected(call, source, dim, call.integer("index") % call.sizes(source)[dim])


@handles("unbind", any_layout=True)
def unbind(call: Call) -> Result:
    """Every place along an axis other than the batch, each without the axis."""
    source = call.tensor("self")
    dim = call.integer("dim") % rank_of(source)
    return [_selected(call, source, dim, index) for index in range(call.sizes(source)[dim])]


@handles("expand", "expand_as", "repeat", "tile", "broadcast_to")
def expand(call: Call) -> Result:
    """Repeat along axes of size 1, or along any axis but the batch."""
    source = call.tensor("self")
    before, after = call.sizes(source), call.sizes(call.node)
    if len(before) != len(after) or before[0] != after[0]:
        raise Refusal("it repeats the batch or puts an axis in front of it, so rows would depend on each other")
    if before == after:
        return Same(source)
    counts = next((call.integers(name) for name in ("repeats", "dims") if name in call.arguments), None)
    if counts is not None:  # ``tile`` may name the last axes only
        counts = (1,) * (len(before) - len(counts)) + counts
        return Lifted(AtenOperator("repeat.default", ("@0", counts)), (source,))
    return Lifted(Expand(after[1:]), (source,))


@handles("repeat_interleave", any_layout=True)
def repeat_interleave(call: Call) -> Result:
    """Repeat each place along an axis other than the batch."""
    source = call.tensor("self")
    if call.value("dim") is None:
        raise Refusal("it repeats over the whole batch; name the axis")
    dim = call.integer("dim") % rank_of(source)
    counts = call.weight("repeats").long()
    places = torch.arange(call.sizes(source)[dim])
    return _places(call, source, dim, places.repeat_interleave(counts))


@handles("diagonal")
def diagonal(call: Call) -> Result:
    """The diagonal of two axes other than the batch."""
    source = call.tensor("self")
    return as_it_stands(call, **{name: call.axis(call.integer(name), source) for name in ("dim1", "dim2")})


@handles("roll", "flip", any_layout=True)
def rearrange(call: Call) -> Result:
    """Rearrange places along axes other than the batch."""
    source = call.tensor("self")
    dims = tuple(call.axis(dim, source) for dim in call.integers("dims"))
    if not dims:
        raise Refusal("it rolls over the whole batch; name the axes")
    return as_it_stands(call, dims=dims)


@handles("tril", "triu")
def triangle(call: Call) -> Result:
    """A triangle of the last two axes, which the batch is not among."""
    if rank_of(call.tensor("self")) < 3:
        raise Refusal("it takes the batch axis for the rows of a matrix")
    return as_it_stands(call)


@handles("unfold", any_layout=True)
def unfold(call: Call) -> Result:
    """Windows along an axis other than the batch."""
    dim = call.axis(call.integer("dimension"), call.tensor("self"))
    return as_it_stands(call, dimension=dim)


@handles("index", "index_select", any_layout=True)
def index(call: Call) -> Result:
    """Constant places along one axis other than the batch."""
    source = call.tensor("self")
    if "indices" not in call.arguments:
        places = call.weight("index")
        return _places(call, source, call.integer("dim"), places)
    indices = call.value("indices")
    assert isinstance(indices, (list, tuple))
    named = [(dim, node) for dim, node in enumerate(indices) if node is not None]
    if len(named) != 1 or named[0][1] not in call.constants:
        raise Refusal("it indexes with several or computed indices; only one constant index can be converted")
    dim, node = named[0]
    return _places(call, source, dim, call.constants[node])


@handles("new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like", "empty_like",
         any_layout=True)  # fmt: skip
def constant_like(call: Call) -> Result:
    """A constant of a tensor's type: nothing of the image's numbers is in it."""
    sizes = call.sizes(call.node)
    shape = [size // call.batch if call.batch_is_open and size % call.batch == 0 else size for size in sizes]
    name = str(call.node.target)
    value = 0.0 if "zeros" in name or "empty" in name else 1.0
    value = float(call.number("fill_value") or 0) if "full" in name else value
    return Constant(torch.full(shape, value, dtype=call.node.meta["val"].dtype))


def _order(call: Call, source: fx.Node) -> list[int]:
    """Return which axis of ``source`` each axis of the result is."""
    rank = rank_of(source)
    if "dims" in call.arguments:
        return [dim % rank for dim in call.integers("dims")]
    order = list(range(rank))
    if "source" in call.arguments:
        moved = [dim % rank for dim in call.integers("source")]
        targets = [dim % rank for dim in call.integers("destination")]
        order = [dim for dim in order if dim not in moved]
        for target, dim in sorted(zip(targets, moved, strict=True)):
            order.insert(target, dim)
        return order
    names = next((pair for pair in (("dim0", "dim1"), ("axis0", "axis1")) if pair[0] in call.arguments), None)
    first, second = (call.integer(name) % rank for name in names) if names else (rank - 2, rank - 1)
    order[first], order[second] = order[second], order[first]
    return order


def _selected(call: Call, source: fx.Node, dim: int, index: int) -> Lifted:
    axis, layout = call.axis(dim, source), call.layout(source)
    sizes = list(call.sizes(source))
    del sizes[dim]
    left = Layout(layout.axis - (dim < layout.axis), layout.outer, layout.inner)
    part = Lifted(Slice(axis, index, index + 1), (source,))
    return Lifted(Reshape(left.shape(sizes)), (part,), left)


def _places(call: Call, source: fx.Node, dim: int, places: torch.Tensor) -> Lifted:
    if places.dim() != 1 or places.dtype == torch.bool:
        raise Refusal("it indexes with a mask or a table of positions, which cannot be converted yet")
    axis, size = call.axis(dim, source), call.sizes(source)[dim]
    places = torch.where(places < 0, places + size, places)  # counted from the end
    return Lifted(AtenOperator("index_select.default", ("@0", axis, "#0"), (), (places,)), (source,))
