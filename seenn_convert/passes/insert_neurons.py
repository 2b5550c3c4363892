"""Replace every ReLU-family activation by calibrated integrate-and-fire neurons: the step from ANN to SNN."""

from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

from seenn_convert.draft import Draft, device_of
from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.neuron import initial_membrane
from seenn_convert.operators import RELU_FAMILY, ClippedReLU
from seenn_convert.passes.base import Pass
from seenn_convert.program import Program, Stage
from seenn_convert.spiking import Neuron


class InsertNeurons(Pass):
    """Replace each activation by neurons of one kind, with explicit state.

    Before: ``x -> relu -> y``     After: ``(x, v) -> neuron -> (y, v_next)``
    The threshold of a clipped ReLU is never above its maximum, so the neuron clips where the activation does.

    Args:
        v_thresholds: Activation's node name -> threshold, ``(C,)`` for one a channel or ``()`` for one a layer.
        kind: Class of neuron.
    """

    yields = Stage.SNN

    def __init__(self, v_thresholds: Mapping[str, Tensor], kind: type[Neuron]) -> None:
        self.v_thresholds = dict(v_thresholds)
        self.kind = kind

    def requires(self, program: Program) -> None:
        """Every activation is a ReLU with a positive threshold, and there is at least one."""
        names = [node.name for node, module in program.calls() if isinstance(module, RELU_FAMILY)]
        if not names:
            raise PreconditionError("the program has no ReLU-family activation: nothing would spike")
        leaky = [node.name for node, module in program.calls() if isinstance(module, nn.LeakyReLU)]
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
        shapes = draft.shapes()
        draft.results = ("current",)
        draft.set_outputs(draft.outputs)
        for node, module in draft.modules_of(*RELU_FAMILY):
            v_threshold = _row(self.v_thresholds[node.name], shapes[node.name], module)
            self._insert(draft, node, shapes[node.name], v_threshold.to(device_of(draft.graph_module)))

    def ensures(self, program: Program) -> None:
        """No activation is left."""
        left = [node.name for node, module in program.calls() if isinstance(module, RELU_FAMILY)]
        if left:
            raise PostconditionError(f"InsertNeurons left {', '.join(left)}")

    def _insert(self, draft: Draft, node: fx.Node, shape: tuple[int, ...], v_threshold: Tensor) -> None:
        neuron = self.kind(v_threshold, initial_membrane(v_threshold, v_threshold.shape))
        name, users = node.name, list(node.users)
        draft.replace_module(node, neuron)
        state = [
            draft.add_state(f"{name}_{part}", shape, f"{node.target}.v_initial" if part == "v" else None)
            for part in self.kind.state_names
        ]
        node.args = (draft.source_of(node), *state)
        output, *following = draft.insert_items(node, [f"{name}_{part}" for part in ("out", *_next(self.kind))])
        for user in users:
            user.replace_input_with(node, output)
        for placeholder, successor in zip(state, following, strict=True):
            draft.set_next(placeholder, successor)


def _next(kind: type[Neuron]) -> list[str]:
    return [f"{part}_next" for part in kind.state_names]


def _row(v_threshold: Tensor, shape: tuple[int, ...], activation: nn.Module) -> Tensor:
    """Shape a threshold to broadcast against one row, and cap it where the activation is clipped."""
    if isinstance(activation, ClippedReLU):
        v_threshold = torch.clamp(v_threshold, max=activation.maximum)
    channels = v_threshold if v_threshold.dim() else v_threshold.expand(shape[0])
    return channels.reshape(-1, *[1] * (len(shape) - 1))
