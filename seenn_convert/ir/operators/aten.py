"""One module for all operators without a class of their own: it calls a functional ATen operator of a closed list."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload, OpOverloadPacket

from seenn_convert.ir.operators.signature import CONSTANT, INPUT, check_call
from seenn_convert.rows import in_memory_order

LINEAR = (
    "roll", "flip", "sum", "cumsum", "repeat", "expand", "index_select", "select", "pixel_shuffle", "pixel_unshuffle",
    "channel_shuffle", "upsample_nearest1d", "upsample_nearest2d", "upsample_linear1d", "upsample_bilinear2d",
    "upsample_bicubic2d", "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    "im2col", "unfold", "tril", "triu", "diagonal", "masked_fill", "where", "avg_pool3d", "adaptive_avg_pool3d",
    "col2im",
)  # fmt: skip
"""Linear in the activation for each row: they act on each timestep's current as it stands.

What ``masked_fill`` and ``where`` choose by is a constant. They may fill with minus infinity, which has no difference.
"""

GENERAL = (
    "softmax", "log_softmax", "matmul", "bmm", "einsum", "scaled_dot_product_attention", "linalg_vector_norm", "amax",
    "amin", "var", "std", "logsumexp", "hardswish", "log_sigmoid", "max_pool3d", "glu", "prod", "rms_norm",
    "topk", "sort", "kthvalue", "median", "cummax", "cummin", "cosine_similarity", "grid_sampler",
)  # fmt: skip
"""Neither linear nor elementwise: they become temporal differences. Of several results the first is taken."""

PRODUCTS = ("matmul", "bmm", "einsum", "scaled_dot_product_attention")
"""Those of them that multiply two activations, with the accumulations of a matrix product."""


class AtenOperator(nn.Module):
    """A call of one ATen operator of the closed list, with its other arguments.

    The list holds the names above, and every operator that PyTorch itself tags as elementwise. So a new elementwise
    operator needs no new code.

    Args:
        operator: Name and overload, as ``"silu.default"``.
        arguments: What the operator takes, in order: ``"@0"`` for the first activation, ``"#0"`` for the first
            constant, anything else as it is; tuples nest.
        keywords: The same for what it takes by name.
        constants: Tensors.

    Raises:
        ValueError: The operator is not of the closed list, or an argument does not fit it.
    """

    def __init__(
        self,
        operator: str,
        arguments: Sequence[object],
        keywords: Sequence[Sequence[object]] = (),
        constants: Sequence[Tensor] = (),
    ) -> None:
        super().__init__()
        found = resolve(operator)
        self.operator, self.arguments = operator, _as_tuples(arguments)
        self.keywords = tuple((str(name), _as_tuples(value)) for name, value in keywords)
        self.constants = len(constants)
        check_call(operator, found._schema, self.arguments, self.keywords, self.constants)
        inputs = set(INPUT.findall(repr((self.arguments, self.keywords))))
        self._is_function_of_one = len(inputs) == 1 and not constants and is_elementwise(found)
        for index, constant in enumerate(constants):
            self.register_buffer(f"constant_{index}", constant.detach().clone())

    @property
    def name(self) -> str:
        """The operator without its overload."""
        return self.operator.split(".")[0]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the operator's result."""
        if self._is_function_of_one and inputs[0].device.type == "cpu":
            return self._aligned(inputs[0])
        return self._call(inputs)

    def _aligned(self, x: Tensor) -> Tensor:
        """Return the result, with every element computed by the same instructions wherever it stands.

        CPU kernels compute the last elements of a tensor one by one, which for some functions (sigmoid) gives other
        last bits; then a row's result would depend on the number of rows.
        """
        missing = -x.numel() % (64 * torch.get_num_threads())
        if x.device.type == "meta":
            return self._call((x,))
        ordered = in_memory_order(x)
        flat = ordered.reshape(-1)
        result = self._call((flat if missing == 0 else torch.cat([flat, flat.new_zeros(missing)]),))
        result = result[: x.numel()].reshape(ordered.shape)
        return result if ordered is x else result.movedim(-1, 1)

    def _call(self, inputs: tuple[Tensor, ...]) -> Tensor:
        arguments = [self._value(argument, inputs) for argument in self.arguments]
        keywords = {name: self._value(value, inputs) for name, value in self.keywords}
        result = resolve(self.operator)(*arguments, **keywords)
        first: Tensor = result[0] if isinstance(result, tuple) else result
        return first

    def extra_repr(self) -> str:
        """Show the operator and its constant arguments."""
        shown = [self.operator.removesuffix(".default")]
        shown += [str(a) for a in self.arguments if not (isinstance(a, str) and INPUT.fullmatch(a))]
        return ", ".join([*shown, *(f"{name}={value}" for name, value in self.keywords)])

    def _value(self, argument: object, inputs: tuple[Tensor, ...]) -> object:
        if isinstance(argument, tuple):
            return [self._value(item, inputs) for item in argument]
        if isinstance(argument, str) and INPUT.fullmatch(argument):
            return inputs[int(argument[1:])]
        if isinstance(argument, str) and CONSTANT.fullmatch(argument):
            return self.get_buffer(f"constant_{argument[1:]}")
        return argument


@cache
def resolve(operator: str) -> "OpOverload[..., Any]":
    """Return the ATen operator called ``operator``.

    Raises:
        ValueError: It is not of the closed list, writes to a tensor that it is given, or there is none of that name.
    """
    name, _, overload = str(operator).partition(".")
    packet = getattr(torch.ops.aten, name, None)
    is_known = isinstance(packet, OpOverloadPacket) and overload in packet.overloads()  # type: ignore[no-untyped-call]
    found = getattr(packet, overload) if is_known else None
    if not isinstance(found, OpOverload) or found._schema.is_mutable or not _is_listed(name, found):
        raise ValueError(f"{operator!r} is not an operator that a program may hold")
    return found


def _is_listed(name: str, operator: object) -> bool:
    return name in LINEAR or name in GENERAL or is_elementwise(operator)


def is_elementwise(operator: object) -> bool:
    """Return whether PyTorch tags an ATen operator as elementwise, and it neither writes nor draws random numbers."""
    tags = getattr(operator, "tags", ())
    schema = getattr(operator, "_schema", None)
    writes = schema is None or schema.is_mutable
    return torch.Tag.pointwise in tags and not writes and torch.Tag.nondeterministic_seeded not in tags


def _as_tuples(value: object) -> Any:
    return tuple(_as_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value
