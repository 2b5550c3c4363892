"""Which values are the same at every timestep: those that no neuron comes before."""

from torch import fx

from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import IMAGE, Program


def time_varying(graph: fx.Graph) -> set[fx.Node]:
    """Return the nodes that depend on state; all others depend on the image only."""
    varying: set[fx.Node] = set()
    for node in graph.nodes:
        is_state = node.op == "placeholder" and node.name != IMAGE
        if is_state or any(source in varying for source in node.all_input_nodes):
            varying.add(node)
    return varying


def time_invariant_calls(ann: Program) -> set[str]:
    """Return the names of the calls of an ANN that will be in the stem: those that nothing spiking comes before."""
    varying: set[fx.Node] = set()
    for node, module in ann.calls():
        if isinstance(module, SPIKING_OPERATORS) or any(source in varying for source in node.all_input_nodes):
            varying.add(node)
    return {node.name for node, _ in ann.calls() if node not in varying}
