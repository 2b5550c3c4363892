"""Graphs as plain data and back: nodes by name, modules by description, tensors by key, each stored once."""

import keyword
import operator
from collections.abc import Mapping

from torch import Tensor, fx, nn

from seenn_convert.ir.schema import Extras, build_module, describe_module

Json = dict[str, object]


def graph_to_json(graph_module: fx.GraphModule, store: dict[str, Tensor], owner: str) -> Json:
    """Return the nodes and modules of a graph as plain data, and put its tensors into ``store``.

    The keys of new tensors begin with ``owner``; one that ``store`` holds already (the same memory) is referred to.
    """
    nodes: list[Json] = []
    modules: dict[str, Json] = {}
    for node in graph_module.graph.nodes:
        nodes.append(_node_to_json(node))
        target = str(node.target)
        if node.op == "call_module" and target not in modules:
            module = graph_module.get_submodule(target)
            named = (*module.named_parameters(), *module.named_buffers())
            tensors = {name: _key(store, value, f"{owner}.{target}.{name}") for name, value in named}
            modules[target] = {**describe_module(module), "tensors": tensors}
    return {"nodes": nodes, "modules": modules}


def graph_from_json(
    data: Mapping[str, object], store: Mapping[str, Tensor], extras: Extras = Extras()
) -> fx.GraphModule:
    """Return the graph that ``graph_to_json`` wrote; it may hold ``extras`` beside the closed list.

    Raises:
        ArtifactError: Its probe computes another one.
        KeyError, TypeError, ValueError, RuntimeError: The data is not such a graph.
    """
    root, modules = nn.Module(), data["modules"]
    if not isinstance(modules, Mapping):
        raise TypeError("modules are not a mapping")
    for target, description in modules.items():
        _check_name(target)
        tensors = {name: store[key] for name, key in description["tensors"].items()}
        root.add_module(target, build_module(description, tensors, extras))
    graph, values = fx.Graph(), dict[str, fx.Node]()
    nodes = data["nodes"]
    if not isinstance(nodes, list):
        raise TypeError("nodes are not a list")
    for node in nodes:
        name = node["name"]
        _check_name(name)
        values[name] = _node_from_json(graph, node, values, modules)
        if values[name].name != name and node["op"] != "output":
            raise ValueError(f"{name!r} cannot be the name of a node, or is there twice")
    graph.lint()
    return fx.GraphModule(root, graph).eval()


def _node_to_json(node: fx.Node) -> Json:
    match node.op:
        case "placeholder":
            return {"op": "input", "name": node.name}
        case "call_module":
            inputs = [_name(argument) for argument in node.args]
            return {"op": "call", "name": node.name, "module": str(node.target), "inputs": inputs}
        case "call_function":
            return {"op": "item", "name": node.name, "inputs": [_name(node.args[0])], "index": node.args[1]}
        case _:
            outputs = node.args[0]
            single = isinstance(outputs, fx.Node)
            listed = [_name(outputs)] if single else [_name(a) for a in outputs]  # type: ignore[union-attr]
            return {"op": "output", "name": node.name, "inputs": listed, "single": single}


def _node_from_json(graph: fx.Graph, node: Json, values: dict[str, fx.Node], modules: Mapping[str, object]) -> fx.Node:
    name = str(node["name"])
    if node["op"] == "input":
        return graph.create_node("placeholder", name, name=name)
    inputs = tuple(values[source] for source in node["inputs"])  # type: ignore[attr-defined]
    if node["op"] == "call":
        target = str(node["module"])
        if target not in modules:
            raise ValueError(f"{name} calls a module that is not described")
        return graph.create_node("call_module", target, inputs, {}, name=name)
    if node["op"] == "item":
        if type(node["index"]) is not int:
            raise TypeError(f"{name} takes an item that is not numbered")
        return graph.create_node("call_function", operator.getitem, (inputs[0], node["index"]), {}, name=name)
    if node["op"] != "output":
        raise ValueError(f"{name} is of unknown kind")
    output: fx.Node = graph.output(inputs[0] if node["single"] else inputs)
    return output


def _key(store: dict[str, Tensor], value: Tensor, name: str) -> str:
    for key, stored in store.items():
        same_memory = stored.data_ptr() == value.data_ptr() and stored.shape == value.shape
        if same_memory and stored.stride() == value.stride():
            return key
    store[name] = value.detach()
    return name


def _name(argument: object) -> str:
    if not isinstance(argument, fx.Node):
        raise TypeError(f"{argument!r} is not a value of the graph")
    return argument.name


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"{name!r} is not a name")
