"""Regions of ``torch.autocast``, which exported graphs keep as graphs of their own."""

from torch import fx, nn

AUTOCAST = "wrap_with_autocast"


def inline_disabled_autocast(graph: fx.Graph, owner: nn.Module) -> None:
    """Put the calls of regions with ``enabled=False`` into the graph; ``owner`` holds the graphs of the regions."""
    for node in list(graph.nodes):
        region = _region(node, owner)
        if region is None:
            continue
        places = [inner for inner in region.graph.nodes if inner.op == "placeholder"]
        with graph.inserting_before(node):
            results = graph.graph_copy(region.graph, dict(zip(places, node.args[5:], strict=True)))
        for user in list(node.users):
            user.replace_all_uses_with(results[user.args[1]])  # type: ignore[index]
            graph.erase_node(user)
        graph.erase_node(node)


def _region(node: fx.Node, owner: nn.Module) -> fx.GraphModule | None:
    """Return the graph of a call that is a region without autocast, and holds no region of its own; else None."""
    if node.op != "call_function" or str(node.target) != AUTOCAST or node.args[2] is not False:
        return None
    region = getattr(owner, str(node.args[4].target))  # type: ignore[union-attr]
    takes_parts = all("getitem" in str(user.target) for user in node.users)
    is_plain = takes_parts and not any(inner.op == "get_attr" for inner in region.graph.nodes)
    return region if is_plain else None
