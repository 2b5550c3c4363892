"""Correct the current of each neuron layer by a bias for each timestep, so that every prefix of the run is good."""

from collections.abc import Mapping

from torch import Tensor

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.operators.step import TimestepBias
from seenn_convert.ir.program import Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import Pass


class InsertTimestepBias(Pass):
    """Put a timestep bias in front of every neuron layer that has one.

    Before: ``x -> neuron``     After: ``(x, clock) -> bias -> neuron``

    Args:
        biases: Neuron layer -> ``(T, *broadcastable to its row)``.
    """

    accepts = yields = Stage.SNN

    def __init__(self, biases: Mapping[str, Tensor]) -> None:
        self.biases = dict(biases)

    def rewrite(self, draft: Draft) -> None:
        """Insert the biases; layers without one are declined."""
        device, clock = device_of(draft.graph_module), draft.clock()
        for node, _ in draft.modules_of(Neuron):
            if node.name not in self.biases:
                draft.decline(node, "it has no timestep bias")
                continue
            bias = TimestepBias(self.biases[node.name].to(device))
            current = draft.source_of(node)
            call = draft.insert_after(node.prev, f"{node.name}_bias", bias, [current, clock])
            node.args = (call, *node.args[1:])
