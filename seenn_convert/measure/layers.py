"""The table of neuron layers: what each does, and how far its mean output is from the ANN's activation."""

import statistics

import torch
from torch import Tensor, fx

from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.measure.rate_error import split_error
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.spiking_model import LayerInfo, SpikingModel

SATURATED_STEPS, SATURATED_SHARE = 0.9, 0.05
"""A neuron is saturated by an image for which it sends the most it can in this share of the timesteps, rounded to whole
ones; a channel is saturated where more than that share of its neurons and images are. The start-up takes the rest."""


def layer_rows(ann: Program, model: SpikingModel, images: Tensor) -> list[LayerRow]:
    """Run all timesteps on ``images`` ``(B, *input_shape)`` and return a row for each layer of neurons."""
    images = images.to(model.device, model.dtype)
    counting, sums = CountingModel(model), _Sums()
    drives, state = counting.drive(images), counting.initial_state(len(images))
    for t in range(model.timesteps):
        _, _, state = counting.step(drives, state)
        sums.add(counting, late=2 * t >= model.timesteps - 1)
    wanted = _Activations(ann)
    wanted.run(images)
    return [_row(layer, sums, wanted, model.timesteps) for layer in model.layers]


class _Sums:
    """What each layer sent and integrated, summed over timesteps; ``late`` holds the second half."""

    def __init__(self) -> None:
        self.outputs: dict[str, Tensor] = {}
        self.currents: dict[str, Tensor] = {}
        self.late: dict[str, Tensor] = {}
        self.spikes: dict[str, float] = {}
        self.late_steps = 0

    def add(self, counting: CountingModel, late: bool) -> None:
        self.late_steps += late
        for name, output in counting.outputs.items():
            current = counting.currents[name]
            _add(self.outputs, name, output)
            _add(self.currents, name, current)
            if late:
                _add(self.late, name, current)
            self.spikes[name] = self.spikes.get(name, 0.0) + float(counting.spikes[name].mean())


def _add(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    sums[name] = value if name not in sums else sums[name] + value


def _row(layer: LayerInfo, sums: _Sums, wanted: "_Activations", timesteps: int) -> LayerRow:
    name, activation = layer.name, wanted.values[layer.name]
    thresholds = layer.neuron.v_threshold.flatten().tolist()
    neurons, mean = activation[0].numel(), sums.outputs[name] / timesteps
    parts = split_error(
        layer.neuron, wanted.modules[name], mean, sums.currents[name] / timesteps, sums.late[name] / sums.late_steps,
        activation, timesteps,
    )  # fmt: skip
    return LayerRow(
        name=name,
        neurons=neurons,
        channels=activation.shape[1],
        v_threshold=(min(thresholds), statistics.median(thresholds), max(thresholds)),
        firing_rate=sums.spikes[name] / neurons / timesteps,
        rate_error=_relative(mean - activation, activation),
        spikes_per_image=sums.spikes[name],
        error_parts={part: _relative(value, activation) for part, value in parts.items()},
        input_error=_relative(parts["startup"] + parts["upstream"], activation),
        saturated_channels=saturated_channels(layer.neuron, mean, timesteps),
    )


def saturated_channels(neuron: Neuron, output: Tensor, timesteps: int) -> int | None:
    """Return how many channels send the most they can too often, None where there is no most.

    Args:
        neuron: The layer.
        output: ``(B, C, *)``, mean output.
        timesteps: Length of the run.
    """
    if neuron.alphabet is None:
        return None
    steps = output.abs() * timesteps / (neuron.alphabet[-1] * neuron.v_threshold)
    saturated = steps > round(SATURATED_STEPS * timesteps) - 0.5  # whole numbers but for rounding
    shares = saturated.transpose(0, 1).flatten(1).double().mean(dim=1)
    return int((shares > SATURATED_SHARE).sum())


def _relative(error: Tensor, activation: Tensor) -> float:
    return float(torch.linalg.vector_norm(error) / torch.linalg.vector_norm(activation).clamp(min=1e-12))


class _Activations(fx.Interpreter):
    """Keeps the result of every activation of one run."""

    def __init__(self, ann: Program) -> None:
        super().__init__(ann.graph_module)
        self.modules = {node.name: module for node, module in ann.calls() if isinstance(module, SPIKING_OPERATORS)}
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> object:
        result = super().run_node(n)
        if n.name in self.modules and isinstance(result, Tensor):
            self.values[n.name] = result
        return result
