"""One aten call of an exported graph, with its arguments by name and its constants resolved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, fx, nn

from seenn_convert.frontend.torch.layout import PLAIN, Layout, sizes_of
from seenn_convert.ir.operators import SPIKING_OPERATORS, ConstantRow, PerPart

_HERE = Path(__file__).parents[1].as_posix()


class Refusal(Exception):
    """A call site has no conversion; the text says why and what to do."""


@dataclass(frozen=True)
class Lifted:
    """A module call that stands for (part of) an aten call: ``module(*inputs)``.

    Attributes:
        module: What is called.
        inputs: Nodes of the exported graph, or calls that come before this one.
        layout: Of the result, where it is not that of the inputs.
    """

    module: nn.Module
    inputs: "tuple[fx.Node | Lifted, ...]"
    layout: Layout | None = None


@dataclass(frozen=True)
class Constant:
    """The call's result does not depend on the image's numbers, only on its shape."""

    value: Tensor


@dataclass(frozen=True)
class Same:
    """The call returns its input unchanged."""

    node: fx.Node


@dataclass
class Call:
    """An aten call under lifting.

    Attributes:
        node: The node of the exported graph.
        constants: Value of every exported node that depends on parameters and literals only.
        batch: Size of the batch in the exported graph, or what stands for it.
        batch_is_open: Whether the graph takes any batch, and ``batch`` only stands for its size.
        per_part: The module will be applied to each part of a row, so the exported axes are its own.
    """

    node: fx.Node
    constants: dict[fx.Node, Tensor]
    batch: int = 1
    batch_is_open: bool = False
    per_part: bool = False
    arguments: dict[str, object] = field(init=False)

    def __post_init__(self) -> None:
        """Bind the arguments to the names of the operator's schema, defaults included."""
        schema = self.node.target._schema.arguments  # type: ignore[union-attr]
        bound: dict[str, object] = {a.name: a.default_value for a in schema if a.has_default_value()}
        bound.update({a.name: value for a, value in zip(schema, self.node.args, strict=False)})
        bound.update(self.node.kwargs)
        self.arguments = bound

    def check_numbers(self) -> None:
        """Refuse arithmetic with sizes that are not known, which are those of the batch."""
        for argument in self.node.target._schema.arguments:  # type: ignore[union-attr]
            value = self.arguments.get(argument.name)
            value = value.meta.get("val") if isinstance(value, fx.Node) else value
            if is_size_as_number(argument, value):
                raise Refusal(
                    "it computes with the number of images in the batch, so an image's result would depend on the "
                    "others; write a number that is the same for every batch"
                )

    def value(self, name: str) -> object:
        """Return the argument ``name`` as the graph has it."""
        return self.arguments.get(name)

    def number(self, name: str) -> float | None:
        """Return the number ``name``, None if it is not given."""
        value = self.arguments.get(name)
        if value is None or isinstance(value, (int, float)):
            return value
        raise Refusal(f"its argument '{name}' is computed, not a number; make it a constant")

    def integer(self, name: str) -> int:
        """Return the integer ``name``."""
        value = self.arguments.get(name)
        if isinstance(value, int):
            return value
        raise Refusal(f"its argument '{name}' is computed, not an integer; make it a constant")

    def integers(self, name: str) -> tuple[int, ...]:
        """Return the integers of the list ``name``; a single integer counts as a list of one."""
        value = self.arguments.get(name)
        items = [value] if isinstance(value, int) else value
        if isinstance(items, Sequence) and all(isinstance(item, int) for item in items):
            return tuple(items)
        raise Refusal(f"its argument '{name}' is computed, not a list of integers; make it a constant")

    def sizes(self, node: fx.Node) -> tuple[int, ...]:
        """Return the exported sizes of a node's result."""
        try:
            return sizes_of(node, self.batch)
        except ValueError as error:
            raise Refusal(str(error)) from error

    def image(self) -> fx.Node:
        """Return the node of the image."""
        found: fx.Node = next(n for n in self.node.graph.nodes if n.op == "placeholder" and n not in self.constants)
        return found

    def layout(self, source: fx.Node) -> Layout:
        """Return how the program holds ``source``, as the module will see it."""
        return PLAIN if self.per_part else layout_of(source)

    def axis(self, dim: int, source: fx.Node) -> int:
        """Return the program's axis for the exported axis ``dim`` of ``source``; refuses the one with the batch."""
        layout, rank = self.layout(source), rank_of(source)
        if dim % rank == layout.axis:
            raise Refusal("it works along the batch axis, so rows would depend on each other")
        return layout.positions(rank)[dim % rank][0]

    def row(self, constant: Tensor, source: fx.Node) -> Tensor:
        """Return ``constant`` so that it broadcasts against a row of ``source``."""
        found = self.layout(source).row(constant, rank_of(source))
        if found is None:
            raise Refusal("its constant differs between the rows of the batch")
        return found

    def flag(self, name: str) -> bool:
        """Return the truth of ``name``, False where it is not given."""
        return bool(self.arguments.get(name))

    def tensor(self, name: str) -> fx.Node:
        """Return the node of the activation ``name``."""
        value = self.arguments.get(name)
        if isinstance(value, fx.Node) and value not in self.constants:
            return value
        raise Refusal(f"its argument '{name}' is a constant, not an activation")

    def is_activation(self, name: str) -> bool:
        """Return whether ``name`` is a tensor that depends on the image."""
        value = self.arguments.get(name)
        return isinstance(value, fx.Node) and value not in self.constants

    def constant(self, name: str) -> Tensor | None:
        """Return the value of the parameter or literal ``name``, None if it is not given."""
        value = self.arguments.get(name)
        if value is None or isinstance(value, (int, float)):
            return None if value is None else torch.tensor(float(value), dtype=torch.float64)
        if isinstance(value, fx.Node) and value in self.constants:
            return self.constants[value]
        raise Refusal(f"its argument '{name}' is computed from the image; only constants can be converted there")

    def weight(self, name: str) -> Tensor:
        """Return the value of the parameter ``name``, which must be given."""
        value = self.constant(name)
        if value is None:
            raise Refusal(f"its argument '{name}' is missing")
        return value


def is_size_as_number(argument: torch.Argument, value: object) -> bool:
    """Return whether ``value`` is a size that is not known, or made of one, where an operator takes any number."""
    return isinstance(value, (torch.SymInt, torch.SymFloat)) and "int" not in str(argument.type)


Result = Lifted | Same | Constant | list[Lifted]
"""What a call becomes: a module call, its input, a constant, or one module call for each of several results."""


def per_part(result: Result) -> Result:
    """Apply what was lifted to each part of a row."""
    if isinstance(result, list):
        return [_of_parts(one) for one in result]
    return _of_parts(result) if isinstance(result, Lifted) else result


def _of_parts(lifted: Lifted) -> Lifted:
    if isinstance(lifted.module, ConstantRow):
        raise Refusal("it concatenates a constant with parts of a row, which cannot be converted yet")
    inputs = tuple(_of_parts(source) if isinstance(source, Lifted) else source for source in lifted.inputs)
    module = lifted.module if isinstance(lifted.module, SPIKING_OPERATORS) else PerPart(lifted.module)
    return Lifted(module, inputs, lifted.layout)


def layout_of(node: fx.Node) -> Layout:
    """Return how the program holds the result of an exported node."""
    layout: Layout = node.meta.get("layout", PLAIN)
    return layout


def rank_of(node: fx.Node) -> int:
    """Return the number of axes of a node's result, the batch included."""
    return len(node.meta["val"].shape)


def dtype_of(node: fx.Node) -> torch.dtype:
    """Return the type of the numbers of a node's result, of the first where it has several."""
    value = node.meta["val"]
    found: torch.dtype = (value[0] if isinstance(value, (list, tuple)) else value).dtype
    return found


def operator_name(node: fx.Node) -> str:
    """Return the short name of an aten call: ``relu`` for ``aten.relu_.default``."""
    return str(node.target).split(".")[1].rstrip("_") if "." in str(node.target) else str(node.target)


def written_as(node: fx.Node) -> str:
    """Return the call as the exported graph had it: ``hstack (aten.hstack)``."""
    found: str = node.meta.get("written") or f"{node.name} ({str(node.target).removesuffix('.default')})"
    return found


def full_operator_name(node: fx.Node) -> str:
    """Return the name of an operator with its library: ``aten::relu`` for ``aten.relu_.default``."""
    schema = getattr(node.target, "_schema", None)
    return str(node.target if schema is None else schema.name).rstrip("_")


def module_path(node: fx.Node) -> tuple[str, str]:
    """Return the path and the class of the module a node was traced in, empty strings where unknown."""
    stack = node.meta.get("nn_module_stack") or {}
    for path, kind in reversed(list(stack.values())):
        name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        return str(path), name
    return "", ""


def source_line(node: fx.Node) -> str:
    """Return ``file.py:line`` of the user's code that made the node, an empty string where there is none."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', node.meta.get("stack_trace") or "")
    paths = [(file.replace("\\", "/"), line) for file, line in frames]
    own = [
        f"{path.rsplit('/', 1)[-1]}:{line}"
        for path, line in paths
        if "/torch/nn/" not in path and not path.startswith(_HERE)
    ]
    return own[-1] if own else ""


def describe_source(node: fx.Node) -> str:
    """Return where a node comes from: module path and source line, as far as known."""
    path, line = module_path(node)[0], source_line(node)
    return f"{path} ({line})" if path and line else path or line
