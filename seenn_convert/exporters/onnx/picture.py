"""A network as an ONNX file to look at, in Netron for instance: every node says which call site it belongs to.

The file is a valid graph of the ANN. A call site that ONNX cannot express is one node of its class, in a domain of its
own, and one that only hands on what it reads is an ``Identity``, so that each can be seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx
import torch
from onnx import helper
from torch import nn

from seenn_convert.exporters.onnx.graph import (
    Graph,
    Names,
    UntranslatableError,
    Value,
    made_graph,
    made_model,
    value_info,
)
from seenn_convert.exporters.onnx.translate import Translator, translated, value_specs
from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.program import IMAGE, Program

DOMAIN = "seenn_convert"
WITH_METADATA = 10
"""Version of the file format since which nodes have metadata."""


@dataclass(frozen=True)
class Tags:
    """What the nodes of one call site say.

    Attributes:
        words: Behind the name of each node: ``spiking``, ``refused``.
        text: A sentence or several.
        facts: Name -> value, as Netron lists them.
    """

    words: tuple[str, ...]
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Drawer:
    """Writes the module of a call site so that it has a node in any case."""

    translate: Translator

    def __call__(self, graph: Graph, module: nn.Module, *inputs: Value) -> Names:
        """Add the nodes of a module and return the names of its results."""
        before = len(graph.nodes)
        try:
            names = self.translate(graph, module, *inputs)
        except UntranslatableError:
            del graph.nodes[before:]
            return graph.ops(_kind(module), *inputs, outputs=_results(module, inputs), domain=DOMAIN)
        if len(graph.nodes) > before or not isinstance(names, str):
            return names
        return graph.op("Identity", names)


def picture(ann: Program, tags: Mapping[str, Tags], notes: Mapping[str, str]) -> onnx.ModelProto:
    """Return a program of stage ANN as a model whose nodes carry ``tags``, by call site; ``notes`` are of the whole."""
    translate = Translator()
    image = torch.zeros(2, *ann.input_shape, dtype=ann.input_dtype)
    specs = value_specs(ann.graph_module, (image,))
    placeholder = next(iter(ann.graph_module.graph.find_nodes(op="placeholder")))
    given = {placeholder.name: Value(IMAGE, tuple(ann.input_shape), image.dtype)}
    graph = Graph("", translate)
    results, _ = translated(graph, _Drawer(translate), ann.graph_module, specs, given)
    for node in graph.nodes:
        _tag(node, tags.get(node.name.partition(".")[0]))
    outputs = [Value("logits", results[0].shape, results[0].dtype)]
    graph.named("logits", results[0])
    made = made_graph(graph, "network", [value_info(given[placeholder.name])], [value_info(one) for one in outputs])
    model = made_model(made, dict(notes))
    model.ir_version = WITH_METADATA
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.checker.check_model(model)
    return model


def _tag(node: Any, tags: Tags | None) -> None:
    if tags is None:
        return
    node.name = f"{node.name} [{', '.join(tags.words)}]"
    node.doc_string = tags.text
    for key, value in tags.facts.items():
        entry = node.metadata_props.add()
        entry.key, entry.value = key, value


def _kind(module: nn.Module) -> str:
    return module.name if isinstance(module, AtenOperator) else type(module).__name__


def _results(module: nn.Module, inputs: Sequence[Value]) -> int:
    with torch.no_grad():
        found = module(*(value.example() for value in inputs))
    return len(found) if isinstance(found, tuple) else 1
