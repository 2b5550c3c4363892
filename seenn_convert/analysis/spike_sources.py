"""Where the values that reach a layer with weights come from: neurons, other operators, or the image."""

from collections.abc import Callable
from typing import TypeGuard

from torch import fx, nn

from seenn_convert.ir.operators import CONVOLUTIONS, PerPart, passes_spikes

ModuleOf = Callable[[fx.Node], nn.Module | None]
WEIGHTED = (*CONVOLUTIONS, nn.Linear)


def is_weighted(module: nn.Module | None) -> TypeGuard[nn.Module]:
    """Return whether a module multiplies its input by weights."""
    return isinstance(module.operator if isinstance(module, PerPart) else module, WEIGHTED)


def is_depthwise(module: nn.Module | None) -> TypeGuard[nn.Module]:
    """Return whether a module is a convolution each of whose outputs reads a single channel of several."""
    return isinstance(module, CONVOLUTIONS) and module.groups == module.in_channels > 1


def sources(node: fx.Node, module_of: ModuleOf) -> list[fx.Node]:
    """Return the calls, or inputs, whose results reach ``node`` through sums, averages, views and pooling of spikes.

    Args:
        node: Where the value is read.
        module_of: The module that a node calls, None for any other node; an item belongs to the call it is taken from.
    """

    def is_source(found: fx.Node) -> bool:
        module = module_of(found)
        passes = module is not None and passes_spikes(module) and not is_weighted(module)
        return found.op != "call_function" and not passes

    return reached(node, is_source)


def reached(node: fx.Node, ends: Callable[[fx.Node], bool]) -> list[fx.Node]:
    """Return the nodes where walks against the flow, from ``node`` on, end by the word of ``ends``."""
    found: dict[fx.Node, None] = {}
    seen, open_nodes = {node}, [node]
    while open_nodes:
        current = open_nodes.pop()
        if ends(current):
            found[current] = None
            continue
        for source in current.all_input_nodes:
            if source not in seen:
                seen.add(source)
                open_nodes.append(source)
    return list(found)
