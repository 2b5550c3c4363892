"""Run a network in the words of NIR, timestep by timestep: what the file says, and nothing of where it came from."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

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

SPIKING = (Neurons, Synaptic, Threshold)
State = dict[str, Tensor]


@dataclass(frozen=True)
class Sent:
    """What a timestep sends: the output ``(B, *output_shape)``, and the spikes of each layer of neurons by its name."""

    output: Tensor
    spikes: dict[str, Tensor]


def run(graph: NirGraph, images: Tensor, timesteps: int) -> Iterator[Sent]:
    """Yield what each timestep sends, if the input is the same at each one.

    Args:
        graph: The network.
        images: Preprocessed, ``(B, *input_shape)``.
        timesteps: How many there are.

    Raises:
        ExportError: The graph has a cycle that is no reset of neurons.
    """
    order = [name for name in graph.in_order() if name not in (INPUT, OUTPUT)]
    state: State = {}
    late: dict[str, Tensor] = {}
    for _ in range(timesteps):
        sent = {INPUT: images}
        for name in (*order, OUTPUT):
            arriving = [late.get(s) if graph.is_late((s, name)) else sent[s] for s in graph.sources(name)]
            known = [one for one in arriving if one is not None]
            total = known[0]
            for one in known[1:]:
                total = total + one
            sent[name] = total if name == OUTPUT else _sent(graph.nodes[name], total, state, name, graph.dt)
        late = {name: sent[name] for name, node in graph.nodes.items() if isinstance(node, Scale)}
        yield Sent(sent[OUTPUT], {name: sent[name] for name in order if isinstance(graph.nodes[name], SPIKING)})


def _sent(node: Node, value: Tensor, state: State, name: str, dt: float) -> Tensor:
    """Return what a node sends for the sum of its inputs, and keep its next state."""
    match node:
        case Convolution():
            convolve = F.conv1d if len(node.stride) == 1 else F.conv2d
            return convolve(value, node.weight, node.bias, node.stride, node.padding, node.dilation, node.groups)
        case Dense():
            return F.linear(value, node.weight, node.bias)
        case Pool():
            pooled = F.avg_pool2d(value, node.kernel, node.stride, node.padding)
            return pooled if node.mean else pooled * (node.kernel[0] * node.kernel[1])
        case Flatten():
            return value.flatten(1)
        case Scale():
            return value * node.factor
        case Threshold():
            return (value > node.threshold).to(value.dtype)
        case Integrator():
            state[name] = state.get(name, torch.zeros_like(value)) + node.resistance * dt * value
            return state[name]
        case Neurons():
            v = state.get(name, node.v_initial) + node.resistance * dt * value
            fires = v > node.threshold if node.strict else v >= node.threshold
        case Synaptic():
            state[f"{name}.i"] = current = _leaked(
                state.get(f"{name}.i", torch.zeros_like(value)), value, dt / node.tau_synapse
            )
            v = _leaked(state.get(name, node.v_initial), node.resistance * current, dt / node.tau_membrane)
            fires = v > node.threshold
    spikes = fires.to(value.dtype)
    state[name] = v - spikes * node.threshold
    return spikes


def _leaked(value: Tensor, towards: Tensor, share: float) -> Tensor:
    return value + share * (towards - value)
