"""A device that is not there: its tensors hold numbers on the CPU and refuse to meet tensors of the CPU.

So a device mistake fails on a machine without an accelerator. The operations that make the processor wait for a real
device are counted.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("elsewhere")
DEVICE = torch.device("elsewhere:0")

WAITS = {
    torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.masked_select.default,
    torch.ops.aten.equal.default, torch.ops.aten.is_nonzero.default,
}  # fmt: skip
"""Operations whose result the processor needs before it can go on."""


class Elsewhere(Tensor):
    """A tensor of the device; ``numbers`` are where they really are."""

    numbers: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor) -> "Elsewhere":
        made: Elsewhere = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, numbers.shape, strides=numbers.stride(), storage_offset=numbers.storage_offset(), dtype=numbers.dtype,
            device=DEVICE, requires_grad=False,
        )  # fmt: skip
        made.numbers = numbers
        return made

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        return f"Elsewhere({self.numbers!r})"

    def tolist(self) -> Any:
        """Return the numbers, as ``torch.Tensor.tolist`` does, which asks for the real device."""
        return self.numbers.tolist()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(function, args, kwargs or {}, None)


class OtherDevice(TorchDispatchMode):
    """Lets factories make tensors of the device, and counts what waits for it in ``waits``."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(function, args, kwargs or {}, self.waits)


def _call(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], waits: Counter[str] | None) -> Any:
    given: list[Tensor] = []
    tree_map(lambda one: given.append(one) if isinstance(one, Tensor) else None, [list(args), dict(kwargs)])
    there = [one for one in given if isinstance(one, Elsewhere)]
    asked = kwargs.get("device")
    moved = function is torch.ops.aten._to_copy.default or function is torch.ops.aten.copy_.default
    here = [one for one in given if not isinstance(one, Elsewhere) and one.dim() > 0]
    if there and here and not moved:
        raise AssertionError(
            f"{function} reads tensors of the device and of the CPU, {[tuple(one.shape) for one in here]}"
        )
    to_host = moved and bool(there) and asked is not None and torch.device(asked).type == "cpu"
    masks = function in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default) and any(
        one.dtype is torch.bool for one in there[1:]
    )
    if waits is not None and there and (function in WAITS or to_host or masks):
        waits[str(function)] += 1
    wraps = bool(there) if asked is None else torch.device(asked).type == DEVICE.type
    plain = {**kwargs, "device": torch.device("cpu")} if asked is not None else dict(kwargs)
    found = function(*_unwrapped(list(args)), **_unwrapped(plain))
    if not wraps:
        return found
    inner = {id(one.numbers): one for one in there}  # what is written in place stays the same tensor
    return tree_map(lambda one: inner.get(id(one), Elsewhere(one)) if isinstance(one, Tensor) else one, found)


def _unwrapped(values: Any) -> Any:
    return tree_map(lambda one: one.numbers if isinstance(one, Elsewhere) else one, values)
