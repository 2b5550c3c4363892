"""Let the neurons of a network that was trained as a spiking one run on from timestep to timestep."""

from collections.abc import Mapping

from torch import fx

from seenn_convert.choices import Readout
from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import FirstSpikes, FirstState, HeldState, KeepState, Latest
from seenn_convert.ir.program import Program, Stage
from seenn_convert.neurons.layers import Neuron
from seenn_convert.passes.base import Pass


class RunInTime(Pass):
    """Give every layer of neurons its state, and make what the network returns the current of the readout.

    Before: ``x -> first spikes of the neurons``     After: ``(x, v) -> neurons -> (spikes, v)``
    Before: ``first state -> ... -> keep state``     After: ``state -> ... -> next state``

    Args:
        readout: What the logits are: the ``"mean"`` over the timesteps of what the network returns, the ``"last"`` of
            it, or the last ``"membrane"`` potential of the neurons that it ends in.
    """

    yields = Stage.SNN

    def __init__(self, readout: Readout = "mean") -> None:
        self.readout = readout

    def requires(self, program: Program) -> None:
        """There is state, and the network ends in neurons where their membrane is asked for."""
        calls = dict(program.calls())
        if not any(isinstance(module, (FirstSpikes, FirstState)) for module in calls.values()):
            raise PreconditionError("the program has no layer of neurons that could run in time")
        if self.readout == "membrane" and not ends_in_neurons(program):
            raise PreconditionError("the network does not end in a layer of neurons, whose membrane could be read")

    def rewrite(self, draft: Draft) -> None:
        """Turn the graph into one timestep."""
        shapes = draft.shapes()
        draft.results = ("current",)
        draft.set_outputs(draft.outputs)
        _carry_states(draft, shapes)
        last, membranes = draft.outputs[0], dict[fx.Node, fx.Node]()
        for node, module in draft.modules_of(FirstSpikes):
            assert isinstance(module, FirstSpikes) and isinstance(module.neuron, Neuron)
            membranes[node] = _with_state(draft, node, module.neuron, shapes[node.name])
        if self.readout == "membrane":
            draft.set_outputs([membranes[last], *draft.outputs[1:]])
        if self.readout != "mean":
            _read_latest(draft, shapes["output"])


def ends_in_neurons(program: Program) -> bool:
    """Return whether the first timestep of a network returns what a layer of neurons sends."""
    calls, last = dict(program.calls()), program.graph_module.graph.output_node().all_input_nodes[0]
    last = last.all_input_nodes[0] if isinstance(calls.get(last), KeepState) else last
    return isinstance(calls.get(last), FirstSpikes)


def _carry_states(draft: Draft, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Let the states of a network with explicit state come in and go out."""
    states: dict[int, fx.Node] = {}
    for node, module in draft.modules_of(FirstState):
        assert isinstance(module, FirstState)
        state = draft.add_state(f"{node.name}_before", shapes[node.name], f"{node.target}.value")
        draft.replace_module(node, HeldState(module.value, module.spikes))
        node.args = (state,)
        states[module.place] = state
    for keep, _ in draft.modules_of(KeepState):
        following = list(keep.args[1:])
        for place, state in states.items():
            successor = following[place]
            assert isinstance(successor, fx.Node)
            draft.set_next(state, successor)
        draft.bypass(keep)


def _with_state(draft: Draft, node: fx.Node, neuron: Neuron, shape: tuple[int, ...]) -> fx.Node:
    """Let ``node`` call the neurons with their state, and return the node of their next membrane potential."""
    name, parts = node.name, neuron.state_names
    draft.replace_module(node, neuron)
    state = [
        draft.add_state(f"{name}_{part}", shape, None if index else f"{node.target}.v_initial")
        for index, part in enumerate(parts)
    ]
    node.args = (draft.source_of(node), *state)
    draft.carry_on(node, [f"{name}_out", *(f"{name}_{part}_next" for part in parts)], state)
    return next(user for user in node.users if user.args[1] == 1)


def _read_latest(draft: Draft, shape: tuple[int, ...]) -> None:
    """Let the current of the readout be such that its mean is the latest value."""
    value, clock = draft.outputs[0], draft.clock()
    previous = draft.add_state("latest", shape)
    call = draft.insert_after(value, "latest_value", Latest(), [value, clock, previous])
    current, following = draft.insert_items(call, ["latest_current", "latest_next"])
    draft.set_outputs([current, *draft.outputs[1:]])
    draft.set_next(previous, following)
