"""Write calls that have no conversion by calls that have one: aliases and composites, by PyTorch's own rules."""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor, fx
from torch._decomp import decomposition_table
from torch._ops import OpOverload
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from seenn_convert.frontend.torch.aten import HANDLERS, is_on_elements, operator_of
from seenn_convert.frontend.torch.call import Call, dtype_of, full_operator_name, is_size_as_number, written_as
from seenn_convert.frontend.torch.layout import size_for_one_row

COMPOSITE = "CompositeImplicitAutograd"


def decompose(graph: fx.Graph, image: fx.Node, own: Collection[str]) -> None:
    """Replace each call on the image's way that has no conversion by the calls that PyTorch makes of it.

    A call stays as it is where PyTorch has no rule for it, or the rule ends in calls that have no conversion either: it
    is then refused under the name that the user wrote.

    Args:
        graph: An exported graph; it is changed.
        image: The placeholder of the image.
        own: Operators that the user converts, by their full names.
    """
    reached = {image}
    for node in list(graph.nodes):
        if reached.isdisjoint(node.all_input_nodes) or not pytree.tree_any(_is_tensor, node.meta.get("val")):
            continue
        reached.add(node)
        if node.op != "call_function" or full_operator_name(node) in own or not isinstance(node.target, OpOverload):
            continue
        if _gives_tensors(node.target) and not _is_read(node.target) and _rule_of(node.target) is not None:
            reached.update(_replace(node, reached, dtype_of(image)))


class _Unread(Exception):
    """A rule ends in a call that has no conversion."""


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down, in front of ``node``, what its rule calls; aliases and composites among it by their own rules."""

    def __init__(self, node: fx.Node, reached: Collection[fx.Node], kind: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph, self.node, self.reached, self.kind = node.graph, node, set(reached), kind
        self.made: list[fx.Node] = []
        self.known: dict[int, tuple[Tensor, fx.Node]] = {}  # the tensor is kept, so that its id is

    def enter(self, value: Tensor, node: fx.Node) -> None:
        self.known[id(value)] = (value, node)

    def node_of(self, value: object) -> object:
        """Return the node of a tensor, and any other argument as the graph may hold it."""
        if isinstance(value, Tensor):
            if id(value) not in self.known:
                raise _Unread
            return self.known[id(value)][1]
        return size_for_one_row(value) if isinstance(value, SymInt) else value  # sizes are read from the result

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Follow the rule of a call that has no conversion; write down any other."""
        kwargs = dict(kwargs or {})
        if not _gives_tensors(func):
            return func(*args, **kwargs)
        bound = [*zip(func._schema.arguments, args, strict=False), *_by_name(func, kwargs)]
        if any(is_size_as_number(argument, value) for argument, value in bound):
            raise _Unread
        inputs, options = pytree.tree_map(self.node_of, (args, kwargs))
        nodes = [leaf for leaf in pytree.tree_leaves((inputs, options)) if isinstance(leaf, fx.Node)]
        changing = self.reached.intersection(nodes)
        changes = bool(changing)
        if changes and not _is_read(func):
            rule = _rule_of(func)
            if rule is None:
                raise _Unread
            with self:
                return rule(*args, **kwargs)
        result = func(*args, **kwargs)
        taken, given = {dtype_of(one) for one in changing}, filter(_is_tensor, pytree.tree_leaves(result))
        if changes and not is_on_elements(func) and {*taken, *(one.dtype for one in given)} != {self.kind}:
            raise _Unread  # positions and counts
        self._write(func, tuple(inputs), options, result, changes)
        return result

    def _write(self, func: Any, inputs: tuple[Any, ...], options: dict[str, Any], result: Any, changes: bool) -> None:
        with self.graph.inserting_before(self.node):
            call = self._made(self.graph.call_function(func, inputs, options), result, changes)
            if isinstance(result, Tensor):
                self.enter(result, call)
            elif isinstance(result, (list, tuple)):
                for index, part in enumerate(result):
                    item = self.graph.call_function(operator.getitem, (call, index))
                    self.enter(part, self._made(item, part, changes))

    def _made(self, call: fx.Node, result: object, changes: bool) -> fx.Node:
        call.meta = {**self.node.meta, "val": result, "written": written_as(self.node)}
        self.made.append(call)
        if changes:
            self.reached.add(call)
        return call


def _replace(node: fx.Node, reached: Collection[fx.Node], kind: torch.dtype) -> set[fx.Node]:
    """Put what the rule of ``node`` calls in its place, and return the calls that depend on the image."""
    recorder = _Recorder(node, reached, kind)
    for source in node.all_input_nodes:
        for value in pytree.tree_leaves(source.meta.get("val")):
            if isinstance(value, Tensor) and isinstance(source.meta["val"], Tensor):
                recorder.enter(value, source)
    arguments, options = fx.map_arg((node.args, node.kwargs), lambda source: source.meta["val"])
    rule = _rule_of(node.target)
    assert rule is not None
    try:
        Call(node, {}).check_numbers()
        with torch.inference_mode(), _fake_mode(node), recorder:
            results = pytree.tree_map(recorder.node_of, rule(*arguments, **options))
    except Exception:  # a rule may fail in any way: the call is then refused as it stands
        for made in reversed(recorder.made):
            node.graph.erase_node(made)
        return set()
    _redirect(node, results)
    node.graph.erase_node(node)
    return recorder.reached


def _redirect(node: fx.Node, results: Any) -> None:
    """Let the users of ``node`` read ``results``, one node or one for each item."""
    if isinstance(results, fx.Node):
        node.replace_all_uses_with(results)
        return
    for item in list(node.users):
        item.replace_all_uses_with(results[item.args[1]])
        node.graph.erase_node(item)


def _by_name(target: Any, options: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return [(argument, options[argument.name]) for argument in target._schema.arguments if argument.name in options]


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _gives_tensors(target: Any) -> bool:
    return any("Tensor" in str(returned.type) for returned in target._schema.returns)


def _is_read(target: Any) -> bool:
    in_table = operator_of(target) in HANDLERS and target.namespace == "aten"
    return in_table or is_on_elements(target)


def _rule_of(target: Any) -> Callable[..., Any] | None:
    """Return what PyTorch makes of a call, None where it has no rule or the call draws random numbers."""
    if torch.Tag.nondeterministic_seeded in target.tags:
        return None
    if torch._C._dispatch_has_kernel_for_dispatch_key(target.name(), COMPOSITE):
        rule: Callable[..., Any] = target.decompose
        return rule
    return decomposition_table.get(target)


def _fake_mode(node: fx.Node) -> Any:
    first: Any = pytree.tree_leaves(node.meta["val"])[0]
    return first.fake_mode
