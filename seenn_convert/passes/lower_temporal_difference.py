"""Lower operators that are neither linear nor spiking, so that their mean output is exact at every timestep."""

from torch import fx

from seenn_convert.draft import Draft
from seenn_convert.errors import PreconditionError
from seenn_convert.operators import HOMOGENEOUS_OPERATORS, Treatment, treatment_of
from seenn_convert.passes.base import Pass
from seenn_convert.passes.time_invariance import time_varying
from seenn_convert.program import Program, Stage
from seenn_convert.spiking import ExitProbe, Neuron, TemporalDifference


class LowerTemporalDifference(Pass):
    """Replace max pooling by the temporal difference of max pooling.

    Before: ``x -> f -> y``     After: ``(x, S, F) -> difference -> (f(S + x) - F, S + x, f(S + x))``
    Declines where the input is the same at every timestep: there f itself is right, and the stem takes it.

    Args:
        shapes: Node name -> shape of its result without the batch, from the program before the neurons.
    """

    accepts = yields = Stage.SNN

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.shapes = shapes

    def requires(self, program: Program) -> None:
        """Every such operator is homogeneous."""
        other = [
            f"{node.name} ({type(module).__name__})"
            for node, module in program.calls()
            if treatment_of(module) is Treatment.TEMPORAL_DIFFERENCE
            and not isinstance(module, (*HOMOGENEOUS_OPERATORS, Neuron, TemporalDifference, ExitProbe))
        ]
        if other:
            raise PreconditionError(f"no temporal difference for {', '.join(other)}")

    def rewrite(self, draft: Draft) -> None:
        """Wrap each operator whose input varies in time."""
        varying = time_varying(draft.graph)
        for node, module in draft.modules_of(*HOMOGENEOUS_OPERATORS):
            if node not in varying:
                draft.decline(node, "its input is the same at every timestep")
                continue
            draft.replace_module(node, TemporalDifference(module))
            self._add_state(draft, node)

    def _add_state(self, draft: Draft, node: fx.Node) -> None:
        name, source, users = node.name, draft.source_of(node), list(node.users)
        running_sum = draft.add_state(f"{name}_sum", self.shapes[_origin(source)])
        previous = draft.add_state(f"{name}_previous", self.shapes[name])
        node.args = (source, running_sum, previous)
        output, sum_next, value = draft.insert_items(node, [f"{name}_out", f"{name}_sum_next", f"{name}_value"])
        for user in users:
            user.replace_input_with(node, output)
        draft.set_next(running_sum, sum_next)
        draft.set_next(previous, value)


def _origin(node: fx.Node) -> str:
    """Return the name the value had before the neurons: an item belongs to the call it is taken from."""
    return node.all_input_nodes[0].name if node.op == "call_function" else node.name
