"""Let neurons start from another membrane potential, so that their mean output after the run is the ANN's."""

import copy
from collections.abc import Mapping

from torch import Tensor

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import Pass


class ShiftInitialPotential(Pass):
    """Add a shift to the initial potential of every neuron layer that has one.

    Args:
        shifts: Neuron layer -> shift in the shape of its threshold, in units of the current.

    Source: Li et al. 2021 (light calibration), Bu et al. 2022 (optimal initial potential).
    """

    accepts = yields = Stage.SNN

    def __init__(self, shifts: Mapping[str, Tensor]) -> None:
        self.shifts = dict(shifts)

    def rewrite(self, draft: Draft) -> None:
        """Replace the neurons by ones that start elsewhere; layers without a shift are declined."""
        for node, neuron in draft.modules_of(Neuron):
            assert isinstance(neuron, Neuron)
            if node.name not in self.shifts:
                draft.decline(node, "its initial potential is not shifted")
                continue
            shifted = copy.copy(neuron)
            shifted._buffers = dict(neuron._buffers)  # the program before keeps its own
            shifted.v_initial = neuron.v_initial + self.shifts[node.name].to(neuron.v_initial)
            draft.replace_module(node, shifted)
