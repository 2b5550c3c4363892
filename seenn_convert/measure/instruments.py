"""Count what a spiking run does: spikes of every layer and the synaptic operations they cause, image by image."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.analysis.coverage import fan_out, macs_of
from seenn_convert.analysis.spike_sources import is_weighted, sources
from seenn_convert.ir.interpreter import Inputs, Interpreter
from seenn_convert.ir.operators import HeldState
from seenn_convert.ir.operators.step import MeanDifference
from seenn_convert.ir.program import Program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.rows import nonzero_per_row
from seenn_convert.runtime.engine import program_step
from seenn_convert.runtime.spiking_model import SpikingModel

Watch = Callable[[str, Tensor, Tensor, Tensor], None]
"""Sees the name of a layer of neurons, what it sent at this step, what it integrated, and its spikes ``(B,)``."""


class CountingModel:
    """A spiking model that also keeps, for the last batch, the counts of each timestep.

    ``spikes`` maps a neuron layer to the spikes ``(B,)`` of the last step, and ``fired`` to the neurons that fired;
    ``operations`` maps a weight layer to the operations ``(B,)`` its nonzero inputs caused: each costs the layer's mean
    fan-out. Where spikes drive a layer these are accumulates; ``graded`` names the layers in which they are
    multiply-accumulates. ``watch`` sees every layer of neurons as it runs.

    Of a group several members may fire at once, and each costs an accumulate. Since a current may have gone through
    sums, averages and views, a nonzero input then counts as many times as a nonzero output of the neuron layers that
    drive the layer had spikes, on average over the row at that step.
    """

    def __init__(self, model: SpikingModel, watch: Watch | None = None) -> None:
        self.timesteps, self.policy, self.watch = model.timesteps, model.policy, watch
        self.spikes: dict[str, Tensor] = {}
        self.fired: dict[str, Tensor] = {}
        self.operations: dict[str, Tensor] = {}
        origins, calls = _origins(model.program), model.program.calls()
        self.drivers = {
            layer: tuple(name for name, module in found if isinstance(module, Neuron))
            for layer, found in origins.items()
        }
        self.graded = frozenset(node.name for node, module in calls if isinstance(module, MeanDifference)) | {
            layer for layer, found in origins.items() if not all(_spikes(module) for _, module in found)
        }
        self.device, self.dtype = model.device, model.dtype
        self.drive, self.plan, self.initial_state = model.drive, model.plan, model.initial_state
        self.step = program_step(model.program, Interpreter(model.step_graph, self._count).run)

    def _count(self, node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        """Run one module of the step and count what it does."""
        result = module(*inputs)
        if isinstance(module, Neuron):
            self.fired[node.name] = nonzero_per_row(result[0])
            self.spikes[node.name] = module.spike_counts(result[0]) if module.together else self.fired[node.name]
            if self.watch is not None:
                self.watch(node.name, result[0], inputs[0], self.spikes[node.name])
        elif is_weighted(module) and isinstance(result, Tensor):
            current: Tensor = inputs[0]
            connections = fan_out(module, _row(result), _row(current))
            known = self.fired.get(_sender(node))  # the same tensor need not be counted twice
            nonzero = nonzero_per_row(current) if known is None else known
            self.operations[node.name] = nonzero * connections * self._spikes_per_input(node.name)
        elif isinstance(module, MeanDifference):
            varied = inputs[2 : 2 + len(module.varying)]
            macs = macs_of(module.operator, _row(result[0]), *map(_row, varied))
            if macs:
                self.operations[node.name] = varied[0].new_full((len(varied[0]),), macs, dtype=torch.float64)
        return result

    def _spikes_per_input(self, layer: str) -> Tensor | float:
        """Return how many spikes ``(B,)`` a nonzero output of the neurons that drive ``layer`` has on average."""
        drivers = () if layer in self.graded else self.drivers[layer]
        if all(self.spikes[name] is self.fired[name] for name in drivers):
            return 1.0
        spikes = torch.stack([self.spikes[name] for name in drivers]).sum(dim=0)
        outputs = torch.stack([self.fired[name] for name in drivers]).sum(dim=0)
        return torch.where(outputs > 0, spikes / outputs.clamp(min=1), 1.0)


def _origins(program: Program) -> dict[str, list[tuple[str, nn.Module | None]]]:
    """Return the layers with weights, each with the calls and inputs whose values reach it: name and module."""
    modules: dict[fx.Node, nn.Module] = dict(program.calls())
    return {
        node.name: [(origin.name, modules.get(origin)) for origin in sources(node.all_input_nodes[0], modules.get)]
        for node, module in modules.items()
        if is_weighted(module)
    }


def _sender(node: fx.Node) -> str:
    """Return the name of the call whose first result ``node`` reads as it is; empty if it reads something else."""
    item = node.all_input_nodes[0]
    return item.all_input_nodes[0].name if item.op == "call_function" and item.args[1] == 0 else ""


def _spikes(module: nn.Module | None) -> bool:
    """Return whether a module sends spikes of a few sizes: anything else makes operations multiplications."""
    return (isinstance(module, Neuron) and module.alphabet is not None) or (
        isinstance(module, HeldState) and module.spikes
    )


def _row(values: Tensor) -> tuple[int, ...]:
    return tuple(values.shape[1:])
