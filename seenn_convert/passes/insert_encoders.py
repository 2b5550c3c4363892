"""Let graded values become spikes where they enter a layer with weights."""

from torch import fx, nn

from seenn_convert.draft import Draft
from seenn_convert.operators import (
    CONVOLUTIONS,
    SPIKING_OPERATORS,
    Encode,
    PerPart,
    Treatment,
    treatment_of,
)
from seenn_convert.passes.base import Pass

WEIGHTED = (*CONVOLUTIONS, nn.Linear)


class InsertEncoders(Pass):
    """Put a place for encoding neurons in front of each layer with weights that reads graded values.

    Before: ``x -> gelu -> linear -> y``     After: ``x -> gelu -> encode -> linear -> y``
    Declines where spikes arrive already, and where the image itself does: that is the stem's.
    """

    def rewrite(self, draft: Draft) -> None:
        """Insert one encoder for each value that such layers read."""
        placed: dict[fx.Node, fx.Node] = {}
        for node, module in draft.modules_of():
            if not is_weighted(module):
                continue
            source = draft.source_of(node)
            origins = sources_of_spikes(draft, source)
            if all(is_spiking(draft, origin) for origin in origins):
                draft.decline(node, "spikes arrive there already")
            elif any(origin.op == "placeholder" for origin in origins):
                draft.decline(node, "it reads the image")
            else:
                if source not in placed:
                    placed[source] = draft.insert_after(source, f"{source.name}_encode", Encode(), [source])
                node.replace_input_with(source, placed[source])


def is_weighted(module: nn.Module) -> bool:
    """Return whether a module multiplies its input by weights."""
    return isinstance(module.operator if isinstance(module, PerPart) else module, WEIGHTED)


def is_spiking(draft: Draft, node: fx.Node) -> bool:
    """Return whether a node's result is the output of neurons."""
    return isinstance(draft.module_at(node), SPIKING_OPERATORS)


def sources_of_spikes(draft: Draft, node: fx.Node) -> list[fx.Node]:
    """Return the calls, or the image, whose results reach ``node`` through sums, pools and views only."""
    found: dict[fx.Node, None] = {}
    seen, open_nodes = {node}, [node]
    while open_nodes:
        current = open_nodes.pop()
        module = draft.module_at(current)
        if module is None or treatment_of(module) is not Treatment.LINEAR or is_weighted(module):
            found[current] = None
            continue
        for source in current.all_input_nodes:
            if source not in seen:
                seen.add(source)
                open_nodes.append(source)
    return list(found)
