"""Replace every ReLU-family activation by calibrated integrate-and-fire neurons: the step from ANN to SNN."""

from collections.abc import Mapping

from torch import Tensor, fx, nn

from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.operators import SPIKING_OPERATORS, ClippedReLU, Encode
from seenn_convert.ir.program import Program, Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.types import NeuronType
from seenn_convert.passes.base import Pass


class InsertNeurons(Pass):
    """Replace each activation by neurons of one type, with explicit state.

    Before: ``x -> relu -> y``     After: ``(x, v) -> neuron -> (y, v_next)``
    The threshold of a clipped ReLU is never above its maximum, so the neuron clips where the activation does.

    Args:
        v_thresholds: Activation's node name -> threshold, ``(C,)`` with one per channel, or ``()`` with one per layer.
        neuron_type: Makes the neurons.
    """

    yields = Stage.SNN

    def __init__(self, v_thresholds: Mapping[str, Tensor], neuron_type: NeuronType) -> None:
        self.v_thresholds = dict(v_thresholds)
        self.neuron_type = neuron_type

    def requires(self, program: Program) -> None:
        """Every activation is a ReLU with a positive threshold, and there is at least one."""
        names = [node.name for node, module in program.calls() if isinstance(module, SPIKING_OPERATORS)]
        if not names:
            raise PreconditionError("the program has no ReLU-family activation: nothing would spike")
        leaky = [node.name for node, module in program.calls() if isinstance(module, (nn.LeakyReLU, nn.PReLU))]
        if leaky:
            raise PreconditionError(f"{', '.join(leaky)}: no neuron has negative outputs; run SplitLeakyReLU before")
        missing = [name for name in names if name not in self.v_thresholds]
        if missing:
            raise PreconditionError(f"no threshold for {', '.join(missing)}; calibrate this very program")
        bad = [name for name in names if not bool((self.v_thresholds[name] > 0).all())]
        if bad:
            raise PreconditionError(f"a threshold of {', '.join(bad)} is not positive")

    def rewrite(self, draft: Draft) -> None:
        """Turn the graph into one timestep: neurons in, their state as inputs and outputs."""
        shapes, device = draft.shapes(), device_of(draft.graph_module)
        draft.results = ("current",)
        draft.set_outputs(draft.outputs)
        for node, module in draft.modules_of(*SPIKING_OPERATORS):
            v_threshold = _row(self.v_thresholds[node.name], shapes[node.name])
            neuron = self._neuron(module, v_threshold.to(device, draft.program.input_dtype))
            self._insert(draft, node, shapes[node.name], neuron)

    def ensures(self, program: Program) -> None:
        """No activation is left."""
        left = [node.name for node, module in program.calls() if isinstance(module, SPIKING_OPERATORS)]
        if left:
            raise PostconditionError(f"InsertNeurons left {', '.join(left)}")

    def _neuron(self, activation: nn.Module, v_threshold: Tensor) -> Neuron:
        if isinstance(activation, Encode):
            return self.neuron_type.encoding(v_threshold)
        if isinstance(activation, ClippedReLU):
            return self.neuron_type.rectifying(v_threshold, activation.maximum)
        return self.neuron_type.rectifying(v_threshold)

    def _insert(self, draft: Draft, node: fx.Node, shape: tuple[int, ...], neuron: Neuron) -> None:
        name, parts = node.name, neuron.state_names
        draft.replace_module(node, neuron)
        clock = [draft.clock()] if neuron.reads_clock else []
        state = [
            draft.add_state(f"{name}_{part}", shape, f"{node.target}.v_initial" if part == "v" else None)
            for part in parts
        ]
        node.args = (draft.source_of(node), *clock, *state)
        draft.carry_on(node, [f"{name}_out", *(f"{name}_{part}_next" for part in parts)], state)


def _row(v_threshold: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Shape a threshold to broadcast against one row."""
    channels = v_threshold if v_threshold.dim() else v_threshold.expand(shape[0])
    return channels.reshape(-1, *[1] * (len(shape) - 1))
