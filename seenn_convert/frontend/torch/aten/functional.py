"""Lift a call as it stands: its activations become inputs, its parameters constants, the rest stays as it is."""

import torch
from torch import Tensor, fx

from seenn_convert.frontend.torch.aten.registry import operator_of
from seenn_convert.frontend.torch.call import Call, Lifted, Refusal, dtype_of, rank_of
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.operators.aten import is_elementwise
from seenn_convert.ir.operators.elementwise import CHOICES


def as_it_stands(call: Call, **replaced: object) -> Lifted:
    """Return the call as an ``AtenOperator``.

    Args:
        call: Of an operator of the closed list.
        replaced: Arguments that are other in the program, as axes; None leaves one out.
    """
    lifting = _Arguments(call)
    arguments: list[object] = []
    keywords: list[tuple[str, object]] = []
    for argument in call.node.target._schema.arguments:  # type: ignore[union-attr]
        value = replaced[argument.name] if argument.name in replaced else call.value(argument.name)
        if argument.kwarg_only:
            if value != argument.default_value:
                keywords.append((argument.name, lifting.of(value)))
        else:
            arguments.append(lifting.of(value))
    module = AtenOperator(_functional_name(call), _without_defaults(call, arguments), keywords, lifting.constants)
    return Lifted(module, tuple(lifting.inputs))


def elementwise(call: Call) -> Lifted:
    """Return an operator that works on each element, whichever it is."""
    if torch.Tag.nondeterministic_seeded in call.node.target.tags:  # type: ignore[union-attr]
        raise Refusal("it draws random numbers, so the model gives other results for the same image; leave it out")
    if not is_on_elements(call.node.target):
        raise Refusal("this operator cannot be converted yet; replace it, or convert the part of the model before it")
    rank = rank_of(call.node)
    for node in call.node.all_input_nodes:
        if node not in call.constants and rank_of(node) != rank:
            raise Refusal("it joins tensors of unequal rank, so rows would depend on each other; unsqueeze one of them")
    return as_it_stands(call)


def is_on_elements(target: object) -> bool:
    """Return whether an ATen operator works on each element, in place or not."""
    return operator_of(target) in CHOICES or is_elementwise(functional_form(target))


class _Arguments:
    """Turns arguments into the template of an ``AtenOperator``, collecting activations and constants."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.inputs: list[fx.Node] = []
        self.constants: list[Tensor] = []

    def of(self, value: object) -> object:
        if isinstance(value, (list, tuple)):
            return tuple(self.of(item) for item in value)
        if isinstance(value, Tensor):
            return self._constant(value)
        if isinstance(value, fx.Node):
            return self._node(value)
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (torch.dtype, torch.device, torch.layout, torch.memory_format)):
            return None  # of the type and place its input has: the lifter checks that the type stays
        raise Refusal(f"its argument {value!r} has no conversion")

    def _node(self, node: fx.Node) -> str:
        if node in self.call.constants:
            source = (
                self.inputs[0]
                if self.inputs
                else next((n for n in self.call.node.all_input_nodes if n not in self.call.constants), node)
            )
            return self._constant(self._aligned(self.call.constants[node], source))
        if not isinstance(node.meta.get("val"), Tensor):
            raise Refusal("one of its arguments is computed, not a number; make it a constant")
        if node not in self.inputs:
            self.inputs.append(node)
        return f"@{self.inputs.index(node)}"

    def _aligned(self, constant: Tensor, source: fx.Node) -> Tensor:
        row = self.call.row(constant, source) if constant.dim() else constant
        kind = dtype_of(source)
        return row.to(kind) if row.dtype.is_floating_point and kind == dtype_of(self.call.node) else row

    def _constant(self, value: Tensor) -> str:
        self.constants.append(value)
        return f"#{len(self.constants) - 1}"


def _functional_name(call: Call) -> str:
    overload = str(call.node.target).split(".")[-1]
    return f"{operator_of(call.node.target)}.{overload}"


def functional_form(target: object) -> object:
    """Return the form of an ATen operator that returns a new tensor."""
    packet = getattr(torch.ops.aten, operator_of(target), None)
    return getattr(packet, str(target).split(".")[-1], None)


def _without_defaults(call: Call, arguments: list[object]) -> list[object]:
    """Drop trailing arguments that have their default value."""
    schema = [a for a in call.node.target._schema.arguments if not a.kwarg_only]  # type: ignore[union-attr]
    while arguments and schema[len(arguments) - 1].has_default_value():
        if arguments[-1] != schema[len(arguments) - 1].default_value:
            break
        arguments.pop()
    return arguments
