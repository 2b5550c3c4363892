"""A program: the graph a pass reads and returns, what it knows about itself, and how it is printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, fx, nn

from seenn_convert.ir.schema import options_text

IMAGE = "image"
"""Name of the placeholder that takes the image."""


class Stage(Enum):
    """What a program computes."""

    ANN = "ann"
    SNN = "snn"


@dataclass(frozen=True)
class StateSpec:
    """One tensor of state, batch first.

    Attributes:
        name: Name of the placeholder that takes it and of the entry in the state mapping.
        shape: Shape of one row, without the batch.
        initial: Buffer of the program to start from, as ``"module.buffer"``; zero where None.
    """

    name: str
    shape: tuple[int, ...]
    initial: str | None = None


@dataclass(frozen=True)
class PassRecord:
    """What a pass did: its name, the nodes it changed, the nodes it declined and why."""

    name: str
    changed: tuple[str, ...] = ()
    declined: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Program:
    """A graph of module calls, its stage and what it needs to run.

    At stage ANN ``graph_module(image)`` returns the logits ``(B, K)``. At stage SNN it is one timestep: it takes its
    inputs (the image, or the stem's drives) followed by the state, and returns its ``results`` followed by the next
    state, in the order of ``states``.

    Attributes:
        graph_module: The graph; every node but inputs and output calls a submodule or takes one item of a result.
        stage: ANN or SNN.
        input_shape: Shape of one image, ``(C, H, W)`` or any other without the batch.
        input_dtype: Type of the image.
        results: Names of the outputs in front of the state.
        states: The state of one timestep; empty at stage ANN.
        stem: The part that is the same at every timestep, ``stem(image) -> drives``; None until hoisted.
        policy_head: Plans the exit, ``policy_head(*drives)`` or ``policy_head(image) -> plan logits (B, T)``; None
            until attached.
        sources: Node name -> where in the user's model it comes from.
        history: What each pass did, in order.
    """

    graph_module: fx.GraphModule
    stage: Stage
    input_shape: tuple[int, ...]
    input_dtype: torch.dtype = torch.float32
    results: tuple[str, ...] = ("logits",)
    states: tuple[StateSpec, ...] = ()
    stem: fx.GraphModule | None = None
    policy_head: fx.GraphModule | None = None
    sources: tuple[tuple[str, str], ...] = ()
    history: tuple[PassRecord, ...] = ()

    def __call__(self, image: Tensor) -> Tensor:
        """Return the ANN's logits ``(B, K)`` for ``image`` ``(B, *input_shape)``; only at stage ANN."""
        if self.stage is not Stage.ANN:
            raise TypeError("a program of stage SNN is run by runtime.SpikingModel")
        logits: Tensor = self.graph_module(image)
        return logits

    def __repr__(self) -> str:
        """Return stage, input and size; ``format_program`` shows the nodes."""
        return f"Program({self.stage.value}, inputs {self.input_shape}, {len(self.graph_module.graph.nodes)} nodes)"

    def source_of(self, name: str) -> str:
        """Return where the node ``name`` comes from in the user's model, or an empty string."""
        return dict(self.sources).get(name, "")

    def calls(self) -> Iterator[tuple[fx.Node, nn.Module]]:
        """Yield each module call of the graph with its module, in order."""
        for node in self.graph_module.graph.nodes:
            if node.op == "call_module":
                yield node, self.graph_module.get_submodule(str(node.target))


def plans_from_image(program: Program) -> bool:
    """Return whether the policy head of ``program`` reads the image, and not the drives."""
    if program.policy_head is None:
        return False
    return any(node.op == "placeholder" and node.name == IMAGE for node in program.policy_head.graph.nodes)


def ancestors(nodes: Sequence[fx.Node]) -> set[fx.Node]:
    """Return ``nodes`` and all that they depend on."""
    found, open_nodes = set(nodes), list(nodes)
    while open_nodes:
        fresh = set(open_nodes.pop().all_input_nodes) - found
        found |= fresh
        open_nodes += fresh
    return found


def format_graph(graph_module: fx.GraphModule) -> str:
    """Return one line a node: ``name = Module(options)(inputs)``."""
    lines = []
    for node in graph_module.graph.nodes:
        inputs = ", ".join(_name(argument) for argument in node.args)
        if node.op == "placeholder":
            lines.append(f"input {node.name}")
        elif node.op == "output":
            lines.append(f"return {_name(node.args[0])}")
        elif node.op == "call_module":
            module = graph_module.get_submodule(str(node.target))
            lines.append(f"{node.name} = {_describe(module)}({inputs})")
        else:
            lines.append(f"{node.name} = {_name(node.args[0])}[{node.args[1]}]")
    return "\n".join(lines)


def format_program(program: Program) -> str:
    """Return the program as text, one line a node; a spiking program shows its stem, its step and its state."""
    if program.stage is Stage.ANN:
        return f"ann {program.input_shape}\n" + _indented(format_graph(program.graph_module))
    parts = []
    if program.stem is not None:
        parts.append("stem\n" + _indented(format_graph(program.stem)))
    if program.policy_head is not None:
        parts.append("policy\n" + _indented(format_graph(program.policy_head)))
    parts.append("step\n" + _indented(format_graph(program.graph_module)))
    state = [f"{spec.name} {spec.shape} from {spec.initial or 'zero'}" for spec in program.states]
    parts.append("state\n" + _indented("\n".join(state)))
    return "\n".join(parts)


def _describe(module: nn.Module) -> str:
    parts = [*(_describe(child) for child in module.children()), options_text(module)]
    return f"{type(module).__name__}({', '.join(part for part in parts if part)})"


def _name(argument: object) -> str:
    if isinstance(argument, fx.Node):
        return argument.name
    if isinstance(argument, (tuple, list)):
        return "(" + ", ".join(_name(item) for item in argument) + ")"
    return repr(argument)


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
