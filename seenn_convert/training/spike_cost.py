"""What a spike of each layer costs, so that a training may learn to send fewer where they are dear."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.coverage import fan_out
from seenn_convert.analysis.spike_sources import is_weighted, sources
from seenn_convert.ir.interpreter import Inputs, Interpreter, device_of
from seenn_convert.ir.operators import Add, Subtract
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import program_step


@dataclass(frozen=True)
class SpikeCost:
    """The synaptic operations that spikes cause.

    Attributes:
        fan_outs: Layer of neurons -> operations that one of its spikes causes: an accumulate for each connection, and
            an addition for each sum along a skip connection.
        most: Operations of one timestep of one image if every neuron sent one spike.
    """

    fan_outs: Mapping[str, float]
    most: float

    def share(self, layer: str, output: Tensor, spike: Tensor) -> Tensor:
        """Return the operations ``(B,)`` of what a layer sent, ``(B, *F)``, as a share of ``most``; differentiable.

        ``spike`` is the size of the smallest spike, broadcastable; a larger one counts as many times as it has units.
        """
        spikes = (output / spike).abs().flatten(1).sum(dim=1)
        return spikes * (self.fan_outs[layer] / self.most)


def spike_cost(program: Program) -> SpikeCost:
    """Return what the spikes of a spiking program with a stem cost."""
    fan_outs: dict[str, float] = defaultdict(float)
    modules = dict(program.calls())
    sizes: dict[str, int] = {}

    def read(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        result = module(*inputs)
        if isinstance(module, Neuron):
            sizes[node.name] = result[0][0].numel()
        for source, operations in _operations(node, module, inputs, result):
            for origin in sources(source, modules.get):
                if isinstance(modules.get(origin), Neuron):
                    fan_outs[origin.name] += operations
        return result

    image = torch.zeros(1, *program.input_shape, dtype=program.input_dtype, device=device_of(program.graph_module))
    assert program.stem is not None
    with torch.no_grad():
        step = program_step(program, Interpreter(program.graph_module, read).run)
        step(program.stem(image), initial_state(program, 1))
    of_all = {name: fan_outs[name] for name in sizes}
    return SpikeCost(of_all, max(1.0, sum(sizes[name] * one for name, one in of_all.items())))


def _operations(node: fx.Node, module: nn.Module, inputs: Inputs, result: Any) -> list[tuple[fx.Node, float]]:
    """Return each input of a call that spikes may drive, with the operations that one nonzero value of it causes."""
    if is_weighted(module) and isinstance(result, Tensor):
        return [(node.all_input_nodes[0], fan_out(module, tuple(result.shape[1:]), tuple(inputs[0].shape[1:])))]
    return [(source, 1.0) for source in node.all_input_nodes] if isinstance(module, (Add, Subtract)) else []
