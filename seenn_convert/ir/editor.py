"""The editable copy of a program that a pass works on: the graph is copied, the weights are shared."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import fx, nn

from seenn_convert.ir.interpreter import device_of, result_shapes
from seenn_convert.ir.operators.step import Tick
from seenn_convert.ir.program import PassRecord, Program, Stage, StateSpec

CLOCK = "clock"


def shapes_of(program: Program, graph_module: fx.GraphModule | None = None) -> dict[str, tuple[int, ...]]:
    """Return the shape of each node's result without the batch, from one run on zeros; only at stage ANN.

    Args:
        program: Says what an image is.
        graph_module: Run in place of the program's own.
    """
    graph_module = program.graph_module if graph_module is None else graph_module
    image = torch.zeros(2, *program.input_shape, dtype=program.input_dtype)
    return result_shapes(graph_module, image.to(device_of(graph_module)))


class Draft:
    """A graph under change, with the bookkeeping that every pass needs.

    Args:
        program: The program to copy; it is never modified.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        graph = fx.Graph()
        result = graph.graph_copy(program.graph_module.graph, {})
        graph.output(result)
        self.graph_module = fx.GraphModule(program.graph_module, graph)
        self.graph = self.graph_module.graph
        self.stem = program.stem
        self.policy_head = program.policy_head
        self.stage = program.stage
        self.results = program.results
        self.states = list(program.states)
        self.sources = dict(program.sources)
        self._changed: list[str] = []
        self._declined: list[tuple[str, str]] = []

    def modules_of(self, *kinds: type[nn.Module]) -> Iterator[tuple[fx.Node, nn.Module]]:
        """Yield the calls of modules of ``kinds`` (all calls where none is named) in graph order."""
        for node in list(self.graph.nodes):
            module = self.module_at(node)
            if module is not None and (not kinds or isinstance(module, kinds)):
                yield node, module

    def module_at(self, node: fx.Node) -> nn.Module | None:
        """Return the module that ``node`` calls, None for any other node."""
        return self.graph_module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def source_of(self, node: fx.Node) -> fx.Node:
        """Return the node whose result is the first input of ``node``."""
        return node.all_input_nodes[0]

    def replace_module(self, node: fx.Node, module: nn.Module) -> None:
        """Let ``node`` call ``module``; other call sites of the old module keep it."""
        node.target = self._own_target(node)
        self.graph_module.add_submodule(str(node.target), module)
        self.changed(node)

    def bypass(self, node: fx.Node) -> None:
        """Remove ``node`` and hand its users its first input."""
        self.changed(node)
        node.replace_all_uses_with(self.source_of(node))
        self.graph.erase_node(node)

    def insert_after(self, node: fx.Node, name: str, module: nn.Module, inputs: Sequence[fx.Node]) -> fx.Node:
        """Add a call of ``module`` behind ``node`` and return it; its name begins with ``name``."""
        with self.graph.inserting_after(node):
            target = self._fresh(name)
            self.graph_module.add_submodule(target, module)
            call = self.graph.create_node("call_module", target, tuple(inputs), {}, name=target)
        self.sources[call.name] = self.sources.get(node.name, "")
        self.changed(call)
        return call

    def insert_items(self, call: fx.Node, names: Sequence[str]) -> list[fx.Node]:
        """Add one node per item of the tuple that ``call`` returns, and return them in order."""
        items, position = [], call
        for index, name in enumerate(names):
            with self.graph.inserting_after(position):
                position = self.graph.create_node("call_function", operator.getitem, (call, index), {}, name=name)
            items.append(position)
        return items

    def carry_on(self, call: fx.Node, items: Sequence[str], state: Sequence[fx.Node]) -> None:
        """Let the users of ``call`` read the first item of its result; the others are what ``state`` is next."""
        users = list(call.users)
        output, *following = self.insert_items(call, items)
        for user in users:
            user.replace_input_with(call, output)
        for placeholder, successor in zip(state, following, strict=True):
            self.set_next(placeholder, successor)

    def add_state(self, name: str, shape: Sequence[int], initial: str | None = None) -> fx.Node:
        """Add a tensor of state and return the placeholder that carries it; give its successor to ``set_next``."""
        inputs = [node for node in self.graph.nodes if node.op == "placeholder"]
        with self.graph.inserting_after(inputs[-1]):
            placeholder = self.graph.create_node("placeholder", name, (), {}, name=name)
        self.states.append(StateSpec(placeholder.name, tuple(shape), initial))
        self.set_outputs([*self.outputs, placeholder])
        return placeholder

    def set_next(self, placeholder: fx.Node, successor: fx.Node) -> None:
        """Declare ``successor`` the value that ``placeholder`` has at the next timestep."""
        index = len(self.results) + [spec.name for spec in self.states].index(placeholder.name)
        outputs = self.outputs
        outputs[index] = successor
        self.set_outputs(outputs)

    def clock(self) -> fx.Node:
        """Return the placeholder that counts the timesteps each row has done, added on first use."""
        found: list[fx.Node] = [n for n in self.graph.nodes if n.op == "placeholder" and n.name == CLOCK]
        if found:
            return found[0]
        placeholder = self.add_state(CLOCK, ())
        self.set_next(placeholder, self.insert_after(placeholder, "tick", Tick(), [placeholder]))
        return placeholder

    @property
    def outputs(self) -> list[fx.Node]:
        """The values that the graph returns: its results, then the next state."""
        value = self.graph.output_node().args[0]
        return [value] if isinstance(value, fx.Node) else list(value)  # type: ignore[arg-type]

    def set_outputs(self, outputs: Sequence[fx.Node]) -> None:
        """Let the graph return ``outputs``, as a tuple."""
        self.graph.output_node().args = (tuple(outputs),)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return what ``shapes_of`` does, for the graph as it is now."""
        return shapes_of(self.program, self.graph_module)

    def changed(self, node: fx.Node) -> None:
        """Record that ``node`` computes something else now."""
        self._changed.append(node.name)

    def decline(self, node: fx.Node, reason: str) -> None:
        """Note that ``node`` was left alone, and why."""
        self._declined.append((node.name, reason))

    def finish(self, pass_name: str) -> Program:
        """Remove dead code, check the graph and return the new program."""
        self.graph.eliminate_dead_code()
        self.graph_module.delete_all_unused_submodules()
        self.graph.lint()
        self.graph_module.recompile()
        record = PassRecord(pass_name, tuple(dict.fromkeys(self._changed)), tuple(self._declined))
        return replace(
            self.program,
            graph_module=self.graph_module.eval(),
            stage=self.stage,
            results=self.results,
            states=tuple(self.states) if self.stage is Stage.SNN else (),
            stem=self.stem,
            policy_head=self.policy_head,
            sources=tuple(self.sources.items()),
            history=(*self.program.history, record),
        )

    def _own_target(self, node: fx.Node) -> str:
        shared = any(other is not node and other.target == node.target for other in self.graph.nodes)
        if not shared:
            return str(node.target)
        return self._fresh(node.name) if hasattr(self.graph_module, node.name) else node.name

    def _fresh(self, name: str) -> str:
        taken = {node.name for node in self.graph.nodes} | {str(node.target) for node in self.graph.nodes}
        candidate, number = name, 1
        while candidate in taken or hasattr(self.graph_module, candidate):
            candidate, number = f"{name}_{number}", number + 1
        return candidate
