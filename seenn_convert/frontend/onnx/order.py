"""Which nodes of an ONNX graph are needed, and in which order they can be read."""

from collections.abc import Container, Iterable, Mapping
from pathlib import Path

import onnx
from onnx import GraphProto, NodeProto

from seenn_convert.errors import InputError
from seenn_convert.frontend.outputs import choose


def keep_output(graph: GraphProto, name: str) -> None:
    """Leave one output: one that the file lists, or the result of any of its nodes.

    Raises:
        InputError: There is no such value; lists the outputs.
    """
    names = [value.name for value in graph.output]
    if name not in names and any(name in proto.output for proto in graph.node):
        kept = onnx.ValueInfoProto(name=name)
    else:
        kept = graph.output[choose(names, [True] * len(names), name)]
    del graph.output[:]
    graph.output.append(kept)


def needed_nodes(graph: GraphProto, known: Iterable[str], path: Path) -> list[NodeProto]:
    """Return the nodes that an output depends on, each behind those that it reads; otherwise in the order of the file.

    Args:
        graph: Its nodes may lie in any order.
        known: Names of the image and the constants.
        path: Of the file, for messages.

    Raises:
        InputError: Something gives two values one name, a value comes from nowhere, or nodes wait for each other.
    """
    given = set(known)
    producers = _producers(graph, given, path)
    needed = _reached(graph, producers)
    done, order = {"", *given}, []
    for start in sorted(needed):
        waiting = {start: None}  # each reads the next
        while waiting:
            proto = graph.node[next(reversed(waiting))]
            missing = next((name for name in proto.input if name not in done), None)
            if missing is not None:
                waiting[_producer_of(proto, missing, producers, graph, waiting, path)] = None
                continue
            waiting.popitem()
            if not done.issuperset(proto.output):
                order.append(proto)
                done.update(proto.output)
    return order


def _producers(graph: GraphProto, given: set[str], path: Path) -> dict[str, int]:
    """Return which node gives a value."""
    producers: dict[str, int] = {}
    for index, proto in enumerate(graph.node):
        for name in filter(None, proto.output):
            if name in producers or name in given:
                raise InputError(f"{path}: '{name}' is the name of two values; the file is damaged, export it again")
            producers[name] = index
    return producers


def _reached(graph: GraphProto, producers: dict[str, int]) -> set[int]:
    """Return the nodes that an output depends on."""
    reached: set[int] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        index = producers.get(waiting.pop())
        if index is not None and index not in reached:
            reached.add(index)
            waiting.extend(graph.node[index].input)
    return reached


def _producer_of(
    proto: NodeProto, name: str, producers: Mapping[str, int], graph: GraphProto, waiting: Container[int], path: Path
) -> int:
    """Return the node that gives a value; refuse if there is none, or if it waits for ``proto`` itself."""
    label = proto.name or proto.op_type
    if name not in producers:
        raise InputError(f"{path}: nothing gives node '{label}' its input '{name}'; export it again")
    index = producers[name]
    if index in waiting:
        other = graph.node[index].name or graph.node[index].op_type
        raise InputError(
            f"{path}: node '{label}' needs '{name}', and node '{other}', which gives it, needs the result of the "
            "first: the nodes form a circle; export the model without a loop"
        )
    return index
