"""Quantised activations, which bring the threshold of their neurons with them."""

from seenn_convert.ir.operators import QuantisedReLU
from seenn_convert.ir.program import Program, Stage


def own_thresholds(ann: Program, levels: int) -> dict[str, float]:
    """Return quantised activation -> threshold, where a run of ``levels`` levels tells those of the activation apart.

    A network trained with such an activation is nearest to neurons with this very threshold: where their current is
    constant they give the activation after as many timesteps as it has levels. More levels than the run can tell apart,
    as of 8-bit numbers, say no more than where the activation is clipped.
    """
    quantised = ((node.name, module) for node, module in ann.calls() if isinstance(module, QuantisedReLU))
    return {name: module.maximum for name, module in quantised if module.levels <= levels}


def settled(ann: Program, snn: Program, levels: int) -> frozenset[str]:
    """Return the neuron layers with a threshold of their own whose current is the same at every timestep.

    Their spike counts are those of the quantised activation, so no correction can make them better. ``snn`` has its
    stem, and no biases yet.
    """
    assert snn.stage is Stage.SNN
    states, own = {spec.name for spec in snn.states}, own_thresholds(ann, levels)
    return frozenset(
        node.name
        for node, _ in snn.calls()
        if node.name in own and (current := node.all_input_nodes[0]).op == "placeholder" and current.name not in states
    )
