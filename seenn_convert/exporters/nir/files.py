"""``network.nir``: a graph as a file of the package ``nir``, and a file as a graph."""

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.document import AGAIN
from seenn_convert.exporters.nir.graph import (
    INPUT,
    OUTPUT,
    Convolution,
    Dense,
    Flatten,
    Integrator,
    Neurons,
    NirGraph,
    Node,
    Pool,
    Scale,
    Synaptic,
    Threshold,
)

FILE = "network.nir"
INSTALL = "pip install 'seenn_convert[nir]'"
START, FIRES, RESET, DT = "v_initial", "fires", "reset", "dt"
"""Metadata: of a layer of neurons its first potential, when it fires, how it is reset; of the graph the timestep."""


def nir_package() -> Any:
    """Return the package ``nir``.

    Raises:
        ExportError: It is not installed.
    """
    if find_spec("nir") is None or find_spec("h5py") is None:
        raise ExportError(f"the target nir needs the package nir, which is not installed; {INSTALL}")
    import nir

    return nir


def nir_runtime() -> str:
    """Return what reads and runs a file here."""
    return f"the interpreter of this package, from nir {metadata.version('nir')}"


def write_graph(graph: NirGraph, path: Path) -> None:
    """Write a graph.

    Raises:
        ExportError: ``nir`` is not installed, or refuses the graph.
    """
    nir = nir_package()
    nodes = {INPUT: nir.Input({"input": np.array(graph.input_shape)})}
    nodes |= {name: _to_nir(nir, node) for name, node in graph.nodes.items()}
    nodes[OUTPUT] = nir.Output({"output": np.array(graph.output_shape)})
    try:
        nir.write(path, nir.NIRGraph(nodes, list(graph.edges), metadata={DT: graph.dt}))
    except Exception as error:  # whatever another library may raise
        raise ExportError(f"nir refuses the graph ({reason_of(error)}); please report it") from error


def read_graph(path: Path) -> NirGraph:
    """Return the graph in a file.

    Raises:
        ExportError: ``nir`` is not installed or cannot read the file, or the file holds other nodes than ours.
    """
    nir = nir_package()
    try:
        found = nir.read(path)
        shapes = [tuple(map(int, found.nodes[end].input_type["input"])) for end in (INPUT, OUTPUT)]
        nodes = {name: _from_nir(nir, node) for name, node in found.nodes.items() if name not in (INPUT, OUTPUT)}
        return NirGraph(shapes[0], shapes[1], nodes, tuple(found.edges), float(found.metadata.get(DT, 1.0)))
    except ExportError:
        raise
    except Exception as error:  # whatever a foreign file may provoke
        raise ExportError(f"nir cannot read {path} ({reason_of(error)}); {AGAIN}") from error


def _to_nir(nir: Any, node: Node) -> Any:
    """Return a node of the package."""
    match node:
        case Convolution():
            kind = nir.Conv1d if len(node.stride) == 1 else nir.Conv2d
            options = [one[0] if len(one) == 1 else one for one in (node.stride, node.padding, node.dilation)]
            return kind(None, _array(node.weight), *options, node.groups, _array(node.bias))
        case Dense():
            return nir.Affine(_array(node.weight), _array(node.bias))
        case Pool():
            kind = nir.AvgPool2d if node.mean else nir.SumPool2d
            return kind(*(np.array(one) for one in (node.kernel, node.stride, node.padding)))
        case Flatten():
            return nir.Flatten({"input": np.array(node.shape)}, -len(node.shape), -1)  # as right with a batch axis
        case Integrator():
            return nir.I(_array(node.resistance))
        case Threshold():
            return nir.Threshold(_array(node.threshold))
        case Scale():
            return nir.Scale(_array(node.factor))
        case Neurons():
            values = [_full(node.v_initial, one) for one in (node.resistance, node.threshold, 0.0)]
            return nir.IF(*values, metadata=_said(node.v_initial, node.strict))
        case Synaptic():
            times = [_full(node.v_initial, one) for one in (node.tau_synapse, node.tau_membrane)]
            values = [_full(node.v_initial, one) for one in (node.resistance, 0.0, node.threshold)]
            return nir.CubaLIF(*times, *values, metadata=_said(node.v_initial, strict=True))


def _from_nir(nir: Any, node: Any) -> Node:
    """Return a node of ours.

    Raises:
        ExportError: It is of another class, or neurons of a layer differ.
    """
    match node:
        case nir.Conv2d() | nir.Conv1d():
            axes = node.weight.ndim - 2
            stride, padding, dilation = (
                tuple(np.broadcast_to(one, axes).tolist()) for one in (node.stride, node.padding, node.dilation)
            )
            weight, bias = _tensor(node.weight), _tensor(node.bias)
            return Convolution(weight, bias, stride, padding, dilation, int(node.groups))
        case nir.Affine():
            return Dense(_tensor(node.weight), _tensor(node.bias))
        case nir.AvgPool2d() | nir.SumPool2d():
            kernel, stride, padding = (
                (int(one[0]), int(one[1])) for one in (node.kernel_size, node.stride, node.padding)
            )
            return Pool(kernel, stride, padding, isinstance(node, nir.AvgPool2d))
        case nir.Flatten():
            return Flatten(tuple(map(int, node.input_type["input"])))
        case nir.I():
            return Integrator(_tensor(node.r))
        case nir.Threshold():
            return Threshold(_tensor(node.threshold))
        case nir.Scale():
            return Scale(_tensor(node.scale))
        case nir.IF():
            start, strict = _metadata(node)
            return Neurons(start, _single(node.v_threshold), strict, _single(node.r))
        case nir.CubaLIF():
            return Synaptic(
                _metadata(node)[0], _single(node.v_threshold), *map(_single, (node.tau_syn, node.tau_mem, node.r))
            )
    raise ExportError(f"the file holds a node {type(node).__name__}, which no export has; {AGAIN}")


def _said(start: Tensor, strict: bool) -> dict[str, object]:
    """Return the metadata of neurons."""
    return {START: _array(start), FIRES: "above" if strict else "at", RESET: "subtract"}


def _metadata(node: Any) -> tuple[Tensor, bool]:
    return _tensor(node.metadata[START]), node.metadata[FIRES] == "above"


def _array(value: Tensor) -> Any:
    return value.detach().float().contiguous().numpy()


def _full(like: Tensor, value: float) -> Any:
    return np.full(tuple(like.shape), value, dtype=np.float32)


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.asarray(value, dtype=np.float32))


def _single(value: Any) -> float:
    found = np.unique(value)
    if len(found) != 1:
        raise ExportError(f"the neurons of a layer differ in a parameter that is one number in an export; {AGAIN}")
    return float(found[0])
