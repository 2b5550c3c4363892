"""A step that writes over what nobody reads again: less memory traffic, and no fresh memory, for the same bits."""

from collections.abc import Mapping

from torch import Tensor, fx, nn

from seenn_convert.ir.editor import CLOCK
from seenn_convert.ir.operators.basic import Add, Subtract
from seenn_convert.ir.operators.elementwise import Recast
from seenn_convert.ir.operators.step import (
    ClippedDifference,
    MeanDifference,
    RectifiedDifference,
    TemporalDifference,
    TimestepBias,
)
from seenn_convert.ir.operators.treatment import CONVOLUTIONS
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.rows import Reuse, each_number_apart
from seenn_convert.runtime.engine import State, Step
from seenn_convert.runtime.fresh_rows import Steppable

_FRESH = (*CONVOLUTIONS, nn.Linear, Add, Subtract, Recast, TimestepBias)
"""Modules whose result lies in memory of its own."""

_READERS = (*_FRESH, ClippedDifference, MeanDifference, RectifiedDifference, TemporalDifference)
"""Modules none of whose results is a view of what they read; nor are those of neurons that can write over it."""


class _Overwriting(nn.Module):
    """Calls a module with leave to write over some of its inputs."""

    def __init__(self, module: nn.Module, reuse: Reuse) -> None:
        super().__init__()
        self.module, self.reuse = module, reuse

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        results: Tensor | tuple[Tensor, ...] = self.module(*inputs, reuse=self.reuse)
        return results


def fast_step(model: Steppable) -> Step:
    """Return what makes the timesteps of a loop: it may write over the state it is given, as ``advance`` does."""
    step: Step = getattr(model, "advance", model.step)
    return step


def own_start(model: Steppable, rows: int) -> State:
    """Return the state before the first timestep of ``rows`` rows, of which nothing may be written but its own."""
    start = model.initial_state(rows)
    return {name: value.clone() if each_number_apart(value) else value for name, value in start.items()}


def overwriting(program: Program) -> fx.GraphModule:
    """Return the step of a spiking program with the same modules, which writes over its state and over dead currents.

    Whoever calls it gives its state away: each tensor may be written over, unless several of its numbers are one and
    the same in memory, as at the start of a run. Drives and parameters stay as they are.
    """
    step = program.graph_module
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    graph.output(graph.graph_copy(step.graph, copies))
    root, order = fx.GraphModule(step, graph), {node: place for place, node in enumerate(step.graph.nodes)}
    states = _states(program)
    for node, module in program.calls():
        if _reuses(module):
            reuse = Reuse(_current_is_free(node, step, order), _state_is_free(node, states))
            if any(reuse):
                copies[node].target = name = f"overwriting_{node.name}"
                root.add_submodule(name, _Overwriting(module, reuse))
    root.recompile()
    return root


def _reuses(module: nn.Module) -> bool:
    return bool(getattr(module, "reuses", False))


def _states(program: Program) -> dict[str, bool]:
    """Return for each state but the clock, which is never written over, whether it has memory of its own.

    It has if it comes out of a module of ours, and once: each result of these does. Any other, such as a state of
    neurons of the user's own, may be a drive, a current, or another state.
    """
    following = list(program.graph_module.graph.output_node().args[0])[len(program.results) :]  # type: ignore[arg-type]
    modules = dict(program.calls())
    return {
        spec.name: node.op == "call_function"
        and following.count(node) == 1
        and _reuses(modules.get(node.all_input_nodes[0], nn.Identity()))
        for spec, node in zip(program.states, following, strict=True)
        if spec.name != CLOCK
    }


def _current_is_free(node: fx.Node, step: fx.GraphModule, order: dict[fx.Node, int]) -> bool:
    """Return whether the first input is in memory of its own and this is the last to read it."""
    current = node.all_input_nodes[0]
    if not _calls(current, step, _FRESH) or max(current.users, key=order.__getitem__) is not node:
        return False
    return node.args.count(current) == 1 and all(_reads(user, step) for user in current.users)


def _reads(node: fx.Node, step: fx.GraphModule) -> bool:
    """Return whether a call gives back no view of what it reads."""
    if node.op != "call_module":
        return False
    module = step.get_submodule(str(node.target))
    return isinstance(module, _READERS) or (isinstance(module, Neuron) and _reuses(module))


def _calls(node: fx.Node, step: fx.GraphModule, kinds: tuple[type[nn.Module], ...]) -> bool:
    return node.op == "call_module" and isinstance(step.get_submodule(str(node.target)), kinds)


def _state_is_free(node: fx.Node, states: Mapping[str, bool]) -> bool:
    """Return whether the state among the inputs has memory of its own and nobody else reads it."""
    held = [other for other in node.all_input_nodes if other.name in states]
    return all(len(other.users) == 1 and states[other.name] for other in held)
