"""What a call site reads and what reads it, past views that no chip computes."""

from collections.abc import Callable, Mapping, Sequence

from torch import fx

from seenn_convert.exporters.check.view import (
    AVERAGE_POOL,
    FRAMES,
    IMAGE,
    MAX_POOL,
    NEURON,
    OTHER,
    OUTPUT,
    RESHAPE,
    SUM,
    WEIGHTED,
)

PartOf = Mapping[str, str]
THROUGH = (RESHAPE, FRAMES)
"""Parts that only hand a value on."""


def read_parts(node: fx.Node, parts: PartOf) -> tuple[str, ...]:
    """Return the parts that ``node`` reads, one for each path, past views."""
    return tuple(_part(one, parts) for one in _ends(node, parts, lambda at: at.all_input_nodes))


def reading_parts(node: fx.Node, parts: PartOf, past: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the parts that read ``node``, one for each path, past views and the parts named in ``past``."""
    return tuple(_part(one, parts) for one in _ends(node, parts, lambda at: list(at.users), past))


def weighted_readers(node: fx.Node, parts: PartOf) -> int:
    """Return how many layers with weights the spikes of ``node`` are sent to, past views, sums and average pooling."""
    found, seen, open_nodes = set[fx.Node](), {node}, list(node.users)
    while open_nodes:
        at = open_nodes.pop()
        if at in seen:
            continue
        seen.add(at)
        if _part(at, parts) in WEIGHTED:
            found.add(at)
        elif _part(at, parts) in (*THROUGH, SUM, AVERAGE_POOL):
            open_nodes += at.users
    return len(found)


def neurons_behind(node: fx.Node, parts: PartOf) -> tuple[str, ...]:
    """Return the names of the neurons that integrate what a layer with weights gives, past views, sums and pooling."""
    found, seen, open_nodes = dict[str, None](), {node}, list(node.users)
    while open_nodes:
        at = open_nodes.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if _part(at, parts) == NEURON:
            found[at.name] = None
        elif _part(at, parts) in (*THROUGH, SUM, AVERAGE_POOL, MAX_POOL):
            open_nodes += at.users
    return tuple(found)


def reads_first_layer(node: fx.Node, parts: PartOf) -> bool:
    """Return whether ``node`` reads a layer with weights that reads the image, past views and neurons."""
    while len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
        if _part(node, parts) in WEIGHTED:
            return IMAGE in read_parts(node, parts)
        if _part(node, parts) not in (*THROUGH, NEURON):
            return False
    return False


def shape_read(node: fx.Node, parts: PartOf, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape of what ``node`` reads, before views flattened it."""
    source = node.all_input_nodes[0]
    while _part(source, parts) == RESHAPE and source.all_input_nodes:
        source = source.all_input_nodes[0]
    return shapes.get(source.name, ())


def _ends(
    node: fx.Node, parts: PartOf, following: Callable[[fx.Node], list[fx.Node]], past: Sequence[str] = ()
) -> list[fx.Node]:
    found: list[fx.Node] = []
    open_nodes = list(following(node))
    while open_nodes:
        at = open_nodes.pop(0)
        if at.op == "call_function" or _part(at, parts) in (*THROUGH, *past):
            open_nodes += following(at)
        else:
            found.append(at)
    return found


def _part(node: fx.Node, parts: PartOf) -> str:
    if node.op == "placeholder":
        return IMAGE
    return OUTPUT if node.op == "output" else parts.get(node.name, OTHER)
