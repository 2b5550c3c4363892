"""Calls that take or give numbers of another type than the image's: comparisons, choices, casts."""

import torch
from torch import fx

from seenn_convert.frontend.torch.aten.functional import elementwise, is_on_elements
from seenn_convert.frontend.torch.aten.registry import HANDLERS, Result, operator_of
from seenn_convert.frontend.torch.aten.shapes import constant_like, index
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, Same, dtype_of
from seenn_convert.ir.operators import AtenOperator, Cast
from seenn_convert.ir.operators.elementwise import TYPES

CASTS = ("to", "_to_copy", "type_as", "contiguous", "clone", "detach", "alias", "lift_fresh_copy")

MOVING = (
    "view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as",
    "permute", "transpose", "expand", "expand_as", "broadcast_to",
)  # fmt: skip
"""Operators of one tensor that give its elements other places."""


def of_other_type(call: Call, kind: torch.dtype) -> Result:
    """Lift what works on each element; it becomes part of a function whose result is of the type ``kind``.

    Whatever else takes or gives numbers of another type is refused.
    """
    name = operator_of(call.node.target)
    if name.startswith("new_") or name.endswith("_like"):
        return constant_like(call)
    if name in CASTS:
        return _cast(call)
    if name == "index":
        return index(call)
    if name == "index_put":
        return _assignment(call)
    if is_on_elements(call.node.target):
        return elementwise(call)
    tensors = [node for node in call.node.all_input_nodes if isinstance(node.meta.get("val"), torch.Tensor)]
    taken = {dtype_of(source) for source in tensors if source not in call.constants} - {kind}
    if taken == {torch.bool} and name in MOVING and dtype_of(call.node) == torch.bool:
        return _moved(HANDLERS[name](call), kind)
    raise Refusal(_reason(kind, taken, dtype_of(call.node), name))


def _reason(kind: torch.dtype, taken: set[torch.dtype], given: torch.dtype, name: str) -> str:
    if given.is_complex or any(one.is_complex for one in taken):
        return "it computes with complex numbers, which cannot be converted"
    other, usual = _name(min(taken, key=str) if taken else given), _name(kind)
    if other.startswith(("float", "bfloat")):
        return f"it computes in {other} and the image is {usual}; convert the model in one floating-point type"
    if taken and name in HANDLERS:
        return f"it takes {other} numbers that depend on the image; cast them to {usual} before it: .to(torch.{usual})"
    return f"it gives {_name(given)} numbers, such as positions or counts, which have no mean over timesteps"


def _moved(result: Result, kind: torch.dtype) -> Result:
    """Let truth values be moved as 0 and 1, since every element of the image's type may be."""
    if not isinstance(result, Lifted):
        return result
    inputs = tuple(Lifted(Cast(_name(kind)), (source,)) for source in result.inputs)
    moved = Lifted(result.module, inputs, result.layout)
    return Lifted(AtenOperator("gt.Scalar", ("@0", 0.5)), (moved,), result.layout)


def _cast(call: Call) -> Result:
    source, target = call.tensor("self"), dtype_of(call.node)
    if dtype_of(source) == target:
        return Same(source)
    if _name(target) not in TYPES:
        raise Refusal(f"it casts to {_name(target)}, which cannot be converted")
    return Lifted(Cast(_name(target)), (source,))


def _assignment(call: Call) -> Result:
    """``x[x < 0] = 0``: a number put where a mask of the same shape says."""
    source, indices = call.tensor("self"), call.value("indices")
    mask = indices[0] if isinstance(indices, (list, tuple)) and len(indices) == 1 else None
    value = call.constant("values")
    is_mask = isinstance(mask, fx.Node) and dtype_of(mask) == torch.bool and call.sizes(mask) == call.sizes(source)
    if not is_mask or value is None or value.numel() != 1 or call.flag("accumulate"):
        raise Refusal("it writes to computed places, which cannot be converted; use torch.where")
    assert isinstance(mask, fx.Node)
    return Lifted(AtenOperator("masked_fill.Scalar", ("@0", "@1", float(value))), (source, mask))


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
