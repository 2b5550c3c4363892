"""Where the values that reach a layer with weights come from: neurons, other operators, or the image."""

from collections.abc import Callable
from typing import TypeGuard

from torch import fx, nn

from seenn_convert.ir.operators import CONVOLUTIONS, PerPart, Treatment, treatment_of

ModuleOf = Callable[[fx.Node], nn.Module | None]
WEIGHTED = (*CONVOLUTIONS, nn.Linear)


def is_weighted(module: nn.Module | None) -> TypeGuard[nn.Module]:
    """Return whether a module multiplies its input by weights."""
    return isinstance(module.operator if isinstance(module, PerPart) else module, WEIGHTED)


def sources(node: fx.Node, module_of: ModuleOf) -> list[fx.Node]:
    """Return the calls, or inputs, whose results reach ``node`` through sums, averages and views only.

    Args:
        node: Where the value is read.
        module_of: The module that a node calls, None for any other node; an item belongs to the call it is taken from.
    """
    found: dict[fx.Node, None] = {}
    seen, open_nodes = {node}, [node]
    while open_nodes:
        current = open_nodes.pop()
        module = module_of(current)
        is_item = current.op == "call_function"
        if not is_item and (module is None or treatment_of(module) is not Treatment.LINEAR or is_weighted(module)):
            found[current] = None
            continue
        for source in current.all_input_nodes:
            if source not in seen:
                seen.add(source)
                open_nodes.append(source)
    return list(found)
