"""Graphs survive as plain data, tensors are stored once, and malformed data builds nothing."""

import copy
import json
from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import Tensor, fx, nn

from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.ir.program import format_graph

IMAGES = small.draw(8, 5)[0]


def stored() -> tuple[dict[str, Any], dict[str, Tensor]]:
    store: dict[str, Tensor] = {}
    data = graph_to_json(small.ann_program().graph_module, store, "ann")
    return json.loads(json.dumps(data)), store


@pytest.mark.parametrize("which", ["ann", "stem", "step"])
def test_a_graph_comes_back_as_it_was(which: str) -> None:
    program = small.model().program
    graph_module = {"ann": small.ann_program().graph_module, "stem": program.stem, "step": program.graph_module}[which]
    store: dict[str, Tensor] = {}
    data = json.loads(json.dumps(graph_to_json(graph_module, store, which)))
    back = graph_from_json(data, store)
    assert format_graph(back) == format_graph(graph_module)
    assert [node.name for node in back.graph.nodes] == [node.name for node in graph_module.graph.nodes]
    assert not back.training
    if which != "step":
        assert torch.equal(torch.cat([*back(IMAGES)]), torch.cat([*graph_module(IMAGES)]))


def test_what_is_shared_is_stored_once() -> None:
    program, store = small.model().program, dict[str, Tensor]()
    for name, graph_module in (("ann", small.ann_program().graph_module), ("stem", program.stem),
                               ("step", program.graph_module)):  # fmt: skip
        graph_to_json(graph_module, store, name)
    weights = sorted(name for name in store if name.endswith(("weight", "bias")))
    assert weights == [f"ann.{layer}.{part}" for layer in ("conv1", "conv2", "head") for part in ("bias", "weight")]


def set_in(data: dict[str, Any], node: str, **fields: object) -> None:
    next(entry for entry in data["nodes"] if entry["name"] == node).update(fields)


def rename_module(data: dict[str, Any], old: str, new: str) -> None:
    data["modules"][new] = data["modules"].pop(old)
    for entry in data["nodes"]:
        if entry.get("module") == old:
            entry["module"] = new


DAMAGE: dict[str, Any] = {
    "unknown operator": lambda d: d["modules"]["conv1"].update(operator="Conv9d"),
    "operator of the standard library": lambda d: d["modules"]["conv1"].update(operator="os.system"),
    "operator not in the list": lambda d: d["modules"]["relu"].update(operator="Sequential"),
    "operator of another type": lambda d: d["modules"]["conv1"].update(operator=["Conv2d"]),
    "wrong options": lambda d: d["modules"]["conv1"]["options"].update(kernel_size="3"),
    "missing options": lambda d: d["modules"]["conv1"]["options"].pop("in_channels"),
    "options that are no mapping": lambda d: d["modules"]["conv1"].update(options=[1]),
    "tensor of another shape": lambda d: d["modules"]["conv1"]["tensors"].update(weight="ann.conv2.weight"),
    "tensor that is not stored": lambda d: d["modules"]["conv1"]["tensors"].update(weight="nowhere"),
    "tensor too much": lambda d: d["modules"]["conv1"]["tensors"].update(extra="ann.conv1.bias"),
    "tensor too little": lambda d: d["modules"]["conv1"]["tensors"].pop("bias"),
    "unknown kind of node": lambda d: set_in(d, "relu", op="call_method"),
    "attribute": lambda d: set_in(d, "relu", op="get_attr"),
    "module that is not described": lambda d: set_in(d, "relu", module="nothing"),
    "source that does not exist": lambda d: set_in(d, "relu", inputs=["nothing"]),
    "cycle": lambda d: set_in(d, "conv1", inputs=["relu"]),
    "order": lambda d: d["nodes"].reverse(),
    "name twice": lambda d: set_in(d, "relu", name="conv2"),
    "name of a keyword": lambda d: set_in(d, "relu", name="class"),
    "name of code": lambda d: set_in(d, "relu", name="x);import os;("),
    "name of nothing": lambda d: set_in(d, "relu", name=""),
    "name that is no text": lambda d: set_in(d, "relu", name=7),
    "item without a number": lambda d: set_in(d, "relu", op="item", index="__class__"),
    "item with a flag": lambda d: set_in(d, "relu", op="item", index=True),
    "item of nothing": lambda d: set_in(d, "relu", op="item", index=0, inputs=[]),
    "dunder module": lambda d: rename_module(d, "conv1", "__class__"),
    "module with dots": lambda d: rename_module(d, "conv1", "conv1.weight"),
    "module that shadows": lambda d: rename_module(d, "conv1", "forward"),
    "no nodes": lambda d: d.pop("nodes"),
    "no modules": lambda d: d.pop("modules"),
    "nodes of another type": lambda d: d.update(nodes={}),
    "modules of another type": lambda d: d.update(modules=[]),
    "node of another type": lambda d: d["nodes"].append(3),
    "wrapped without end": lambda d: d["modules"].update(relu=_deep(2000)),
}


def _deep(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"operator": "ReLU", "options": {}, "tensors": {}}
    for _ in range(depth):
        inner = {"operator": "TemporalDifference", "options": {}, "wrapped": inner, "tensors": {}}
    return inner


@pytest.mark.parametrize("damage", DAMAGE)
def test_malformed_data_raises(damage: str) -> None:
    data, store = stored()
    graph_from_json(copy.deepcopy(data), store)
    DAMAGE[damage](data)
    with pytest.raises((KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError)):
        graph_from_json(data, store)


def test_only_modules_of_the_list_are_written() -> None:
    root, graph = nn.Module(), fx.Graph()
    root.add_module("odd", nn.Tanh())
    graph.output(graph.create_node("call_module", "odd", (graph.placeholder("image"),)))
    with pytest.raises(TypeError, match="Tanh is not an operator that an artifact may hold"):
        graph_to_json(fx.GraphModule(root, graph), {}, "ann")
