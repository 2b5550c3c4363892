"""Where a network may be cut into an analog front and a spiking rest: at values that every path goes through."""

from dataclasses import dataclass

from torch import fx

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.time_invariance import time_invariant_calls
from seenn_convert.ir.operators import SPIKING_OPERATORS, Analog, ConstantRow, Graded
from seenn_convert.ir.program import IMAGE, Program

ACTIVATIONS = (*SPIKING_OPERATORS, Graded)
"""What is counted: whatever is or could be neurons."""


@dataclass(frozen=True)
class Cut:
    """A front that may be kept analog.

    Attributes:
        names: The activations in the front, in the order of the graph.
        share: Share of the ANN's multiply-accumulates that run once per image then, up to the first neurons.
    """

    names: tuple[str, ...]
    share: float

    @property
    def activations(self) -> int:
        """How many activations are in the front."""
        return len(self.names)


def cuts(ann: Program) -> list[Cut]:
    """Return the cuts that a single value crosses, from no activation in the front to all but some, by their number.

    All paths from the image to the logits go through that value. ``ann`` has no front yet. Activations that stay graded
    for another reason count, too; where only such would be added, the front is the one before.
    """
    activations = [(node.name, module) for node, module in ann.calls() if isinstance(module, ACTIVATIONS)]
    names, sites = [name for name, _ in activations], call_sites(ann)
    last = max((at for at, (_, module) in enumerate(activations) if not isinstance(module, Graded)), default=-1)
    found, before = list[Cut](), set[str]()
    for count in sorted(count for count in _counts(ann) if count <= last or not count):
        still = time_invariant_calls(ann, graded=names[:count])
        if still != before or not count:
            found.append(Cut(tuple(names[:count]), sum(site.share for site in sites if site.name in still)))
        before = still
    return found


def front_names(ann: Program) -> tuple[str, ...]:
    """Return the activations of the analog front of a program, in the order of the graph."""
    return tuple(node.name for node, module in ann.calls() if isinstance(module, Analog))


def _counts(ann: Program) -> set[int]:
    """Return how many activations come before or at each value that no path goes past.

    A path goes past a node if a value from before it, in the order of the graph, is read behind it.
    """
    modules, counts = dict(ann.calls()), {0}
    position = {node: at for at, node in enumerate(ann.graph_module.graph.nodes)}
    activations, farthest = 0, 0
    for node in _reached_from_image(ann):
        if farthest <= position[node]:
            counts.add(activations + isinstance(modules.get(node), ACTIVATIONS))
        activations += isinstance(modules.get(node), ACTIVATIONS)
        farthest = max(farthest, *(position[user] for user in node.users), 0)
    return counts


def _reached_from_image(ann: Program) -> list[fx.Node]:
    """Return the image and what depends on it for more than the size of the batch, without the output."""
    modules, found = dict(ann.calls()), dict[fx.Node, None]()
    for node in ann.graph_module.graph.nodes:
        is_image = node.op == "placeholder" and node.name == IMAGE
        reads = any(one in found for one in node.all_input_nodes) and not isinstance(modules.get(node), ConstantRow)
        if node.op != "output" and (is_image or reads):
            found[node] = None
    return list(found)
