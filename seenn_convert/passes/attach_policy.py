"""Attach a policy head: a third graph, beside stem and step, that chooses the number of timesteps before the run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.choices import Reads
from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.operators import Concatenate
from seenn_convert.ir.program import IMAGE, Program, Stage
from seenn_convert.passes.base import Pass


@dataclass(frozen=True)
class PolicyHead:
    """The layers of a policy head.

    Attributes:
        reads: What it is given: the drives of the stem, or the image.
        branches: For each input the layers that it runs through, first to last.
        body: What the results of the branches, joined along axis 1, then run through; ends with ``(B, T)``.
    """

    reads: Reads
    branches: tuple[tuple[nn.Module, ...], ...]
    body: tuple[nn.Module, ...]

    def features(self, inputs: Iterable[Tensor]) -> Tensor:
        """Return what the branches make of the inputs, joined along axis 1: all that the body sees."""
        results = []
        for value, branch in zip(inputs, self.branches, strict=True):
            for module in branch:
                value = module(value)
            results.append(value)
        return results[0] if len(results) == 1 else torch.cat(results, dim=1)


class AttachPolicy(Pass):
    """Put a policy head beside stem and step.

    Before: stem ``image -> drive``, step ``(drive, state) -> ...``
    After:  stem, step, and policy ``drive -> pool -> ... -> plan``

    Args:
        head: The trained layers.
        timesteps: The longest run T.

    Source: Li et al. 2023 (SEENN-II).
    """

    accepts = yields = Stage.SNN

    def __init__(self, head: PolicyHead, timesteps: int) -> None:
        self.head, self.timesteps = head, timesteps

    def requires(self, program: Program) -> None:
        """There are a stem, no head yet, and as many drives as the head has branches."""
        if program.stem is None:
            raise PreconditionError("the program has no stem yet: its drives are what a policy head reads")
        if program.policy_head is not None:
            raise PreconditionError("the program has a policy head already")
        inputs, branches = policy_inputs(program, self.head.reads), len(self.head.branches)
        if branches != len(inputs):
            raise PreconditionError(f"the policy head has {branches} branches for {len(inputs)} inputs")

    def rewrite(self, draft: Draft) -> None:
        """Build the graph of the head; stem and step stay as they are."""
        root, graph = nn.Module(), fx.Graph()
        inputs = [graph.placeholder(name) for name in policy_inputs(draft.program, self.head.reads)]
        ends = [_chain(root, graph, branch, start) for start, branch in zip(inputs, self.head.branches, strict=True)]
        joined = ends[0] if len(ends) == 1 else _call(root, graph, Concatenate(1), ends)
        graph.output(_chain(root, graph, self.head.body, joined))
        for node in graph.nodes:
            if node.op == "call_module":
                draft.changed(node)
        draft.policy_head = fx.GraphModule(root, graph).eval()

    def ensures(self, program: Program) -> None:
        """The head gives ``(B, T)``."""
        assert program.stem is not None and program.policy_head is not None
        image = torch.zeros(2, *program.input_shape, dtype=program.input_dtype, device=device_of(program.graph_module))
        with torch.no_grad():
            plan = program.policy_head(*((image,) if self.head.reads == IMAGE else program.stem(image)))
        if tuple(plan.shape) != (2, self.timesteps):
            raise PostconditionError(f"the policy head gives {tuple(plan.shape)}, not (2, {self.timesteps})")


def policy_inputs(program: Program, reads: Reads) -> list[str]:
    """Return the names of the inputs of a policy head: the image, or the drives as the step names them."""
    if reads == "image":
        return [IMAGE]
    states = {spec.name for spec in program.states}
    placeholders = [node.name for node in program.graph_module.graph.nodes if node.op == "placeholder"]
    return [name for name in placeholders if name not in states]


def _chain(root: nn.Module, graph: fx.Graph, modules: Sequence[nn.Module], value: fx.Node) -> fx.Node:
    for module in modules:
        value = _call(root, graph, module, [value])
    return value


def _call(root: nn.Module, graph: fx.Graph, module: nn.Module, inputs: Sequence[fx.Node]) -> fx.Node:
    name = f"policy_{sum(node.op == 'call_module' for node in graph.nodes)}"
    root.add_module(name, module.requires_grad_(False))
    return graph.create_node("call_module", name, tuple(inputs), {}, name=name)
