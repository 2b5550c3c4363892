"""Which values are the same at every timestep: those that no neuron and no input that varies in time comes before."""

from collections.abc import Callable, Collection

from torch import fx, nn

from seenn_convert.ir.operators import SPIKING_OPERATORS, ConstantRow, FirstState, MeanOverFrames
from seenn_convert.ir.program import IMAGE, Program


def time_varying(graph_module: fx.GraphModule, inputs: Collection[str] = ()) -> set[fx.Node]:
    """Return the nodes of a step that depend on state, or on one of ``inputs``, which differ between timesteps."""
    return _reached(
        graph_module, lambda node, module: node.op == "placeholder" and (node.name != IMAGE or node.name in inputs)
    )


def time_invariant_calls(ann: Program, inputs: Collection[str] = (), graded: Collection[str] = ()) -> set[str]:
    """Return the names of the calls of an ANN that go into the stem: no spiking call and no ``inputs`` before them.

    The activations named in ``graded`` do not count as spiking. The mean over the frames of a recording stands for one
    frame at each timestep, so all that depends on it varies.
    """

    def starts(node: fx.Node, module: nn.Module | None) -> bool:
        spikes = isinstance(module, SPIKING_OPERATORS) and node.name not in graded
        return node.name in inputs or spikes or isinstance(module, (MeanOverFrames, FirstState))

    varying = _reached(ann.graph_module, starts)
    return {node.name for node, _ in ann.calls() if node not in varying}


def _reached(graph_module: fx.GraphModule, starts: Callable[[fx.Node, nn.Module | None], bool]) -> set[fx.Node]:
    """Return the nodes for which ``starts`` holds, and all that depend on them for more than the size of the batch."""
    found: set[fx.Node] = set()
    for node in graph_module.graph.nodes:
        module = graph_module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if starts(node, module) or (not _is_constant(node, module) and any(n in found for n in node.all_input_nodes)):
            found.add(node)
    return found


def _is_constant(node: fx.Node, module: nn.Module | None) -> bool:
    """Return whether ``node`` reads only the number of rows of the image."""
    return isinstance(module, ConstantRow) and node.all_input_nodes[0].name == IMAGE
