"""Calls that compare and choose, and what lies between them, become one function of each element.

Truth values and whole numbers have no mean over timesteps, so no node of a program may hold them: what leads to them
and what is made of them is one operator, of as few activations as possible.
"""

from collections.abc import Collection

from torch import Tensor, fx, nn

from seenn_convert.frontend.torch.piecewise import recognised
from seenn_convert.ir.operators import Cast, Elementwise, works_on_elements

OTHER_TYPE = "other type"
"""Key of a node's meta: its numbers are of another type than the image's."""


def fuse(root: nn.Module, graph: fx.Graph) -> None:
    """Replace each call that takes numbers of another type by the whole function that it ends.

    Before: ``x -> (> 1) -> m``, ``(x, m) -> (*) -> y``     After: ``x -> elementwise -> y``
    """
    for node in graph.nodes:
        if _is_number_of_truth(root, node):
            node.meta[OTHER_TYPE] = True
    place = {node: index for index, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        if node.op == "call_module" and not _is_other(node) and any(map(_is_other, node.all_input_nodes)):
            steps, inputs = _function(root, node, place)
            _put(root, node, sorted(steps, key=place.__getitem__), sorted(inputs, key=place.__getitem__))
    for node in graph.nodes:
        node.meta.clear()


def _is_other(node: fx.Node) -> bool:
    return bool(node.meta.get(OTHER_TYPE))


def _is_number_of_truth(root: nn.Module, node: fx.Node) -> bool:
    """Return whether a node casts to the image's type for elementwise calls only: it belongs to their function."""
    if node.op != "call_module" or not isinstance(root.get_submodule(str(node.target)), Cast):
        return False
    return all(_is_elementwise(root, user) for user in node.users)


def _is_elementwise(root: nn.Module, node: fx.Node) -> bool:
    return node.op == "call_module" and works_on_elements(root.get_submodule(str(node.target)))


def _function(root: nn.Module, node: fx.Node, place: dict[fx.Node, int]) -> tuple[set[fx.Node], set[fx.Node]]:
    """Return the calls of the function that ``node`` ends, and the activations that it takes.

    Where it takes several and all come from one by elementwise calls, these belong to it too.
    """
    steps = _others_behind(node)
    inputs = {source for step in steps for source in step.all_input_nodes} - steps
    more, left = set(steps), set(inputs)
    while len(left) > 1:
        latest = max(left, key=place.__getitem__)
        if not _is_elementwise(root, latest):
            return steps, inputs
        left.remove(latest)
        more.add(latest)
        left |= set(latest.all_input_nodes)
    return more, left


def _others_behind(node: fx.Node) -> set[fx.Node]:
    """Return ``node`` and the calls of other types that lead to it."""
    found, open_nodes = {node}, [node]
    while open_nodes:
        fresh = {source for source in open_nodes.pop().all_input_nodes if _is_other(source)} - found
        found |= fresh
        open_nodes += fresh
    return found


def _put(root: nn.Module, node: fx.Node, steps: Collection[fx.Node], inputs: list[fx.Node]) -> None:
    """Let ``node`` call the function: by the name that it has among the operators, if it has one."""
    number = {value: index for index, value in enumerate([*inputs, *steps])}
    wiring = [[number[source] for source in step.args] for step in steps]  # type: ignore[index]
    function = Elementwise(len(inputs), wiring, [root.get_submodule(str(step.target)) for step in steps])
    root.add_module(str(node.target), recognised(function) if _keeps_shape(function, node, inputs[0]) else function)
    node.args = tuple(inputs)


def _keeps_shape(function: Elementwise, node: fx.Node, source: fx.Node) -> bool:
    """Return whether no constant makes the result larger than ``source``, as an activation could not."""
    if all(constant.numel() == 1 for constant in function.buffers()):
        return True
    values = (node.meta.get("val"), source.meta.get("val"))
    shapes = {tuple(str(size) for size in value.shape) for value in values if isinstance(value, Tensor)}
    return len(shapes) == 1 and all(isinstance(value, Tensor) for value in values)
