"""Move everything that is the same at every timestep into the stem, which runs once per image."""

from collections.abc import Collection

from torch import fx

from seenn_convert.analysis.time_invariance import time_varying
from seenn_convert.errors import PostconditionError, PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import IMAGE, Program, Stage, ancestors
from seenn_convert.passes.base import Pass


class HoistStem(Pass):
    """Cut the graph where time enters: ``stem(image) -> drives`` once, ``step(drives, state)`` at each timestep.

    Before: ``(image, v) -> conv -> neuron -> ...``
    After:  stem ``image -> conv -> drive``, step ``(drive, v) -> neuron -> ...``

    An image that differs between timesteps is itself the first drive, and the stem computes only what does not depend
    on it, such as position codes: run the stem once and replace that drive at each timestep.

    Args:
        varying: Names of the inputs that differ between timesteps: nothing, or ``(IMAGE,)``.
    """

    accepts = yields = Stage.SNN

    def __init__(self, varying: Collection[str] = ()) -> None:
        self.varying = tuple(varying)

    def requires(self, program: Program) -> None:
        """The stem was not hoisted before."""
        if program.stem is not None:
            raise PreconditionError("the program has a stem already")

    def rewrite(self, draft: Draft) -> None:
        """Copy the time-invariant part into the stem and feed its results to the step as inputs."""
        varying = time_varying(draft.graph_module, self.varying)
        cut = [
            node
            for node in draft.graph.nodes
            if (node not in varying or node.name in self.varying)
            and node.op != "output"
            and any(_varies(user, varying) for user in node.users)
        ]
        draft.stem = _stem(draft, cut)
        for index, node in enumerate(cut):
            _feed(draft, node, f"drive_{index}" if len(cut) > 1 else "drive", varying)
        draft.graph.eliminate_dead_code()
        for node in [n for n in draft.graph.nodes if n.op == "placeholder" and n.name == IMAGE]:
            draft.graph.erase_node(node)

    def ensures(self, program: Program) -> None:
        """The step does not read the image."""
        if any(node.op == "placeholder" and node.name == IMAGE for node in program.graph_module.graph.nodes):
            raise PostconditionError("the step still reads the image")


def _varies(node: fx.Node, varying: set[fx.Node]) -> bool:
    return node in varying or node.op == "output"


def _stem(draft: Draft, cut: list[fx.Node]) -> fx.GraphModule:
    graph, needed = fx.Graph(), ancestors(cut)
    values: dict[fx.Node, fx.Node] = {}
    for node in draft.graph.nodes:
        if node in needed:
            values[node] = graph.node_copy(node, lambda source: values[source])
    graph.output(tuple(values[node] for node in cut))
    return fx.GraphModule(draft.graph_module, graph).eval()


def _feed(draft: Draft, node: fx.Node, name: str, varying: set[fx.Node]) -> None:
    first_state = next(n for n in draft.graph.nodes if n.op == "placeholder" and n in varying)
    with draft.graph.inserting_before(first_state):
        drive = draft.graph.create_node("placeholder", name, (), {}, name=name)
    for user in list(node.users):
        if _varies(user, varying):
            user.replace_input_with(node, drive)
    draft.changed(drive)
