"""Let graded values become spikes where they enter a layer with weights."""

from torch import fx

from seenn_convert.analysis.spike_sources import is_weighted, sources
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import SPIKING_OPERATORS, Encode
from seenn_convert.passes.base import Pass


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
            origins = sources(source, draft.module_at)
            if all(isinstance(draft.module_at(origin), SPIKING_OPERATORS) for origin in origins):
                draft.decline(node, "spikes arrive there already")
            elif any(origin.op == "placeholder" for origin in origins):
                draft.decline(node, "it reads the image")
            else:
                if source not in placed:
                    placed[source] = draft.insert_after(source, f"{source.name}_encode", Encode(), [source])
                node.replace_input_with(source, placed[source])
