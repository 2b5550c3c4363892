"""Which tensors of an exported graph share memory, so that an in-place call changes what it changes in PyTorch."""

from collections.abc import Container, Mapping, MutableMapping

from torch import Tensor, fx
from torch._ops import OpOverload

from seenn_convert.frontend.torch.call import Call, Refusal, Same

VIEWS = (
    "view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute", "transpose",
    "t", "swapaxes", "swapdims", "movedim", "mT", "mH", "adjoint", "slice", "narrow", "split",
    "split_with_sizes", "chunk", "tensor_split", "select", "unbind", "expand", "expand_as", "view_as",
    "reshape_as", "unfold", "contiguous",
)  # fmt: skip
"""Calls whose result shares memory with part of their input, or may share it; writing to it needs care."""
DROPOUTS = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")

Values = MutableMapping[fx.Node, fx.Node | list[fx.Node]]


class Aliases:
    """Keeps, for every value of the exported graph, whose memory it is.

    Args:
        values: Exported node -> node of the new graph; writes are entered here.
        constants: Exported nodes that depend on parameters only.
    """

    def __init__(self, values: Values, constants: Mapping[fx.Node, object]) -> None:
        self.values, self.constants = values, constants
        self._roots: dict[fx.Node, fx.Node] = {}
        self._views: set[fx.Node] = set()

    def share(self, node: fx.Node, source: fx.Node, as_view: bool = False) -> None:
        """Note that ``node`` has the memory of ``source``."""
        self._roots[node] = self._root(source)
        if as_view:
            self._views.add(node)

    def note(self, node: fx.Node, name: str, result: object, skipped: Container[fx.Node]) -> None:
        """Take note of a call that was lifted to ``result``; enter what it writes.

        Args:
            node: The call.
            name: Its operator.
            result: What it became.
            skipped: Nodes that will never be visited.
        """
        target = written(node)
        if target is not None:
            self._write(node, target, skipped)
        elif name in VIEWS or name in DROPOUTS or (isinstance(result, Same) and not _copies(node, name)):
            self.share(node, node.all_input_nodes[0])
            if name in VIEWS and (not isinstance(result, Same) or name == "contiguous"):
                self._views.add(node)

    def _root(self, node: fx.Node) -> fx.Node:
        return self._roots.get(node, node)

    def _write(self, node: fx.Node, target: fx.Node, skipped: Container[fx.Node]) -> None:
        """Let every later use of the written tensor, under any of its names, see the result of ``node``."""
        if target in self.constants:
            raise Refusal("it writes the activation into a constant; use a call that returns its result")
        root = self._root(target)
        names = [other for other in self.values if self._root(other) is root and other is not node]
        if any(other in self._views for other in names):
            if any(self._is_ahead(user, skipped) for other in names for user in other.users if user is not node):
                raise Refusal("it writes in place into a tensor that a view shares; use a copy")
            return
        for other in names:
            self.values[other] = self.values[node]
        self._roots[node] = root

    def _is_ahead(self, node: fx.Node, skipped: Container[fx.Node]) -> bool:
        """Return whether a node reads numbers (not just a shape) and was not visited yet."""
        reads = node.op == "output" or isinstance(node.meta.get("val"), (Tensor, list, tuple))
        return reads and node not in self.values and node not in skipped


def written(node: fx.Node) -> fx.Node | None:
    """Return the tensor that a call writes into, None if it returns a new one."""
    arguments = node.target._schema.arguments if isinstance(node.target, OpOverload) else []
    names = [a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write]
    value = Call(node, {}).value(names[0]) if names else None
    return value if isinstance(value, fx.Node) else None


def _copies(node: fx.Node, name: str) -> bool:
    """Return whether a call that returns its input's numbers puts them into new memory."""
    return name in ("clone", "_to_copy", "lift_fresh_copy") or Call(node, {}).flag("copy")
