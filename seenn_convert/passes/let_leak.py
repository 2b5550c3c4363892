"""Let binary neurons leak a little, so that a training may learn how much."""

import torch

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Affine
from seenn_convert.ir.program import Program, Stage
from seenn_convert.neurons.layers import BinaryNeuron, Neuron
from seenn_convert.neurons.leaky import LeakyNeuron
from seenn_convert.passes.base import Pass

LEAK = 0.98
"""What a membrane keeps of itself over a timestep before anything is learned."""


class LetLeak(Pass):
    """Replace integrate-and-fire neurons by leaky ones with spikes of size 1, scaled to the threshold behind them.

    Before: ``x -> binary neurons -> y``     After: ``x -> leaky neurons -> affine -> y``
    """

    accepts = yields = Stage.SNN

    def requires(self, program: Program) -> None:
        """All neurons are binary ones."""
        others = {type(module).__name__ for _, module in program.calls() if isinstance(module, Neuron)}
        if others != {BinaryNeuron.__name__}:
            found = ", ".join(sorted(others)) or "no neurons"
            raise PreconditionError(f"only binary neurons can be made to leak, got {found}")

    def rewrite(self, draft: Draft) -> None:
        """Replace each layer."""
        for node, module in draft.modules_of(BinaryNeuron):
            assert isinstance(module, BinaryNeuron)
            one = torch.ones_like(module.v_threshold)
            leaky = LeakyNeuron(module.v_threshold, module.v_initial, LEAK * one, one, torch.zeros_like(one))
            draft.replace_module(node, leaky)
            output = next(user for user in node.users if user.args[1] == 0)
            readers = list(output.users)
            scale = Affine(module.v_threshold, torch.zeros_like(module.v_threshold))
            scaled = draft.insert_after(output, f"{node.name}_scaled", scale, [output])
            for reader in readers:
                reader.replace_input_with(output, scaled)
