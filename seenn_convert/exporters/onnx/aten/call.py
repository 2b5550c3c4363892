"""A call of an ATen operator, with its arguments by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from seenn_convert.exporters.onnx.graph import Graph, Names, Value
from seenn_convert.ir.operators.aten import AtenOperator, resolve
from seenn_convert.ir.operators.signature import CONSTANT, INPUT

Argument: TypeAlias = Any
"""A ``Value``, a constant ``Tensor``, a number, or a list of these."""


@dataclass(frozen=True)
class Call:
    """What an operator is called with: the graph to write to, the module, its activations, its arguments by name."""

    graph: Graph
    module: AtenOperator
    inputs: tuple[Value, ...]
    given: dict[str, Argument]

    @classmethod
    def of(cls, graph: Graph, module: AtenOperator, inputs: tuple[Value, ...]) -> "Call":
        """Return the call of ``module`` on ``inputs``; arguments that are left out have their defaults."""

        def bound(argument: Argument) -> Argument:
            if isinstance(argument, (tuple, list)):
                return [bound(item) for item in argument]
            if isinstance(argument, str) and INPUT.fullmatch(argument):
                return inputs[int(argument[1:])]
            if isinstance(argument, str) and CONSTANT.fullmatch(argument):
                return module.get_buffer(f"constant_{argument[1:]}")
            return argument

        schema = resolve(module.operator)._schema.arguments
        given = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
        positional = [argument.name for argument in schema if not argument.kwarg_only]
        given |= dict(zip(positional, map(bound, module.arguments), strict=False))
        return cls(graph, module, inputs, given | {name: bound(value) for name, value in module.keywords})

    def __getitem__(self, name: str) -> Argument:
        """Return an argument."""
        return self.given[name]

    @property
    def x(self) -> Value:
        """The first activation."""
        return self.inputs[0]

    def axes(self, name: str = "dim") -> list[int]:
        """Return axes as a list, without negative ones; all behind the batch where none are given."""
        found = self.given[name]
        listed = found if isinstance(found, list) else [] if found is None else [found]
        return [axis % self.x.rank for axis in listed] or list(range(1, self.x.rank))

    def axis(self, name: str = "dim") -> int:
        """Return one axis, never negative."""
        return int(self.given[name]) % self.x.rank

    def operand(self, argument: Argument, dtype: torch.dtype) -> str:
        """Return the name of an argument as a number of a type."""
        if isinstance(argument, Value):
            return argument.name if argument.dtype == dtype else self.graph.cast(argument, dtype)
        if isinstance(argument, Tensor):
            return self.graph.constant(argument.to(dtype))
        return self.graph.number(argument, dtype)

    def alone(self, x: Callable[..., Tensor] | None = None) -> Callable[[Tensor], Tensor]:
        """Return the operator as a function of its only activation."""
        return lambda rows: self.module._call((rows,))


AtenTranslation: TypeAlias = Callable[[Call], Names]


def promoted(*arguments: Argument) -> torch.dtype:
    """Return the type in which PyTorch combines arguments."""
    found = _stand_in(arguments[0])
    for other in arguments[1:]:
        found = torch.empty(1, dtype=torch.result_type(found, _stand_in(other)), device="meta")
    return found.dtype if isinstance(found, Tensor) else torch.result_type(found, found)


def _stand_in(argument: Argument) -> Any:
    return torch.empty(1, dtype=argument.dtype, device="meta") if isinstance(argument, Value) else argument
