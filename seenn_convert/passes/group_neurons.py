"""Find the layers of neurons in a network with explicit state, whatever their law."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Elementwise, FirstSpikes, FirstState, KeepState, works_on_elements
from seenn_convert.neurons.traced import TracedNeuron
from seenn_convert.passes.base import Pass

TRIED = 4096
"""Numbers on which a function is tried before its values are called spikes."""


class GroupNeurons(Pass):
    """Let the arithmetic between states, one current and the spikes that come of them be a layer of neurons.

    Before: ``(current, first state) -> elementwise ... -> spikes, next state``     After: ``current -> first spikes``
    Declines where something else reads what is inside, or where the spikes are made of several currents: such a network
    runs as well, but its spikes are not counted.
    """

    def rewrite(self, draft: Draft) -> None:
        """Group one layer after the other."""
        shapes = draft.shapes()
        for node, module in draft.modules_of(Elementwise):
            if not _fires(module, [shapes[source.name] for source in _sources(node)]):
                continue
            found = _Cell.of(draft, node)
            problem = "no state leads to these spikes" if found is None else found.problem(draft, shapes)
            if found is None or problem is not None:
                draft.decline(node, str(problem))
            else:
                _replace(draft, found)
        _note_spikes(draft)


@dataclass(frozen=True)
class _Cell:
    """A layer: its spikes, its calls in order, the states that it reads, what these become, its inputs from outside."""

    spikes: fx.Node
    calls: tuple[fx.Node, ...]
    states: tuple[fx.Node, ...]
    following: tuple[fx.Node, ...]
    currents: tuple[fx.Node, ...]
    keep: fx.Node

    @classmethod
    def of(cls, draft: Draft, spikes: fx.Node) -> "_Cell | None":
        """Return the layer whose spikes these are, None if they do not depend on a state."""
        keep = next((node for node, _ in draft.modules_of(KeepState)), None)
        moved = _depending(draft)
        if keep is None or spikes not in moved:
            return None
        calls, states, ends = set[fx.Node](), dict[fx.Node, fx.Node](), [spikes]
        while ends:
            node = ends.pop()
            if isinstance(draft.module_at(node), FirstState):
                if node not in states:
                    states[node] = following_of(draft, keep, node)
                    ends.append(states[node])
            elif node in moved and node not in calls:
                calls.add(node)
                ends += node.all_input_nodes
        place = {node: index for index, node in enumerate(draft.graph.nodes)}
        in_order = sorted(calls, key=place.__getitem__)
        inside = calls | set(states)
        currents = dict.fromkeys(source for node in in_order for source in node.all_input_nodes if source not in inside)
        return cls(spikes, tuple(in_order), tuple(states), tuple(states.values()), tuple(currents), keep)

    def problem(self, draft: Draft, shapes: dict[str, tuple[int, ...]]) -> str | None:
        """Return why these calls are no layer of neurons, None if they are one."""
        inside = {*self.calls, *self.states}
        output = self.keep.args[0]
        inner = [node for node in (*self.calls, *self.states) if node is not self.spikes]
        read = [node for node in inner if node is output or set(node.users) - inside - {self.keep}]
        if len(self.currents) != 1:
            return f"they are made of {len(self.currents)} currents"
        if read:
            return f"{read[0].name} is read by others, too"
        if not set(self.spikes.users) - inside:
            return "its spikes go nowhere"
        if any(node not in inside for node in self.following):
            return "a state becomes what is computed elsewhere"
        sizes = {shapes[node.name] for node in (self.spikes, *self.states, *self.currents)}
        if len(sizes) != 1:
            return "spikes, states and current differ in shape"
        if any(bool(_value(draft, node).any()) for node in self.states[1:]):
            return "several states do not start at zero"
        return None


def following_of(draft: Draft, keep: fx.Node, state: fx.Node) -> fx.Node:
    """Return what a first state becomes."""
    module = draft.module_at(state)
    assert isinstance(module, FirstState)
    following = keep.args[1 + module.place]
    assert isinstance(following, fx.Node)
    return following


def _replace(draft: Draft, cell: _Cell) -> None:
    """Put the layer in the place of its calls, and forget its states, which are its own now."""
    (current,) = cell.currents
    number = {node: index for index, node in enumerate([current, *cell.states, *cell.calls])}
    wiring = [[number[source] for source in _sources(node)] for node in cell.calls]
    steps = [draft.graph_module.get_submodule(str(node.target)) for node in cell.calls]
    law = Elementwise(1 + len(cell.states), wiring, steps, [number[node] for node in (cell.spikes, *cell.following)])
    first = _value(draft, cell.states[0])
    neuron = TracedNeuron(first.new_ones(()), first, [node.name for node in cell.states], law.eval())
    call = draft.insert_after(current, "neurons", FirstSpikes(neuron), [current])
    draft.sources[call.name] = draft.sources.get(cell.spikes.name, "")
    cell.spikes.replace_all_uses_with(call)
    _forget(draft, cell)


def _forget(draft: Draft, cell: _Cell) -> None:
    """Take the states of a layer out of what is kept, and number the others anew."""
    places = {node: module.place for node, module in draft.modules_of() if isinstance(module, FirstState)}
    left = sorted((node for node in places if node not in cell.states), key=places.__getitem__)
    cell.keep.args = (cell.keep.args[0], *(following_of(draft, cell.keep, node) for node in left))
    for place, node in enumerate(left):
        draft.replace_module(node, FirstState(_value(draft, node), place))


def _note_spikes(draft: Draft) -> None:
    """Say of the states that are left whether they hold the spikes of the timestep before, as recurrent layers read."""
    draft.graph.eliminate_dead_code()  # what became a layer
    for keep, _ in draft.modules_of(KeepState):
        for node, module in draft.modules_of(FirstState):
            sends = isinstance(draft.module_at(following_of(draft, keep, node)), FirstSpikes)
            if isinstance(module, FirstState) and sends and not module.value.any():
                draft.replace_module(node, FirstState(module.value, module.place, True))


def _depending(draft: Draft) -> set[fx.Node]:
    """Return the elementwise calls that states reach through elementwise calls alone."""
    found: set[fx.Node] = set()
    states = {node for node, _ in draft.modules_of(FirstState)}
    for node, module in draft.modules_of():
        if works_on_elements(module) and any(source in found or source in states for source in node.all_input_nodes):
            found.add(node)
    return found


def _fires(function: nn.Module, input_shapes: Sequence[tuple[int, ...]]) -> bool:
    """Return whether an elementwise function gives 0 or 1 whatever it takes, by trying it."""
    rows = max(1, TRIED // max(math.prod(shape) for shape in input_shapes))
    drawn = torch.Generator().manual_seed(0)
    dtype = next((value.dtype for value in function.buffers() if value.is_floating_point()), torch.float32)
    tried = [3 * torch.randn(rows, *shape, generator=drawn, dtype=dtype) for shape in input_shapes]
    with torch.no_grad():
        values = function(*tried)
    return isinstance(values, Tensor) and bool(((values == 0) | (values == 1)).all())


def _value(draft: Draft, state: fx.Node) -> Tensor:
    module = draft.module_at(state)
    assert isinstance(module, FirstState)
    return module.value


def _sources(node: fx.Node) -> list[fx.Node]:
    return [source for source in node.args if isinstance(source, fx.Node)]
