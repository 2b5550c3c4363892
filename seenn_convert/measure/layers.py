"""The table of neuron layers: what each does, and how far its mean output is from the ANN's activation."""

import statistics
from collections import defaultdict

import torch
from torch import Tensor, nn

from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.calibration.output_error import relative_length
from seenn_convert.ir.interpreter import read_results
from seenn_convert.ir.operators import SPIKING_OPERATORS
from seenn_convert.ir.program import Program
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.measure.rate_error import split_error
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Results, State, unroll
from seenn_convert.runtime.spiking_model import LayerInfo, SpikingModel

SATURATED_STEPS, SATURATED_SHARE = 0.9, 0.05
"""A neuron is saturated by an image for which it sends the most it can in this share of the timesteps, rounded to whole
ones; a channel is saturated where more than that share of its neurons and images are. The start-up takes the rest."""


def layer_rows(ann: Program, model: SpikingModel, images: Tensor) -> list[LayerRow]:
    """Run all timesteps on ``images`` ``(B, *input_shape)`` and return a row for each layer of neurons."""
    images = images.to(model.device, model.dtype)
    counting = CountingModel(model)
    sums, timesteps = _Sums(counting), model.timesteps
    unroll(counting.step, counting.drive(images), counting.initial_state(len(images)), timesteps, [sums.add])
    modules = {node.name: module for node, module in ann.calls() if isinstance(module, SPIKING_OPERATORS)}
    wanted = read_results(ann.graph_module, [images], lambda name, result: result if name in modules else None)
    return [_row(layer, sums, modules[layer.name], wanted[layer.name], timesteps) for layer in model.layers]


class _Sums:
    """What each layer sent and integrated, summed over timesteps; ``late`` holds the second half."""

    def __init__(self, counting: CountingModel) -> None:
        self.counting = counting
        self.outputs, self.currents, self.late = (defaultdict[str, Tensor](lambda: torch.zeros(())) for _ in range(3))
        self.spikes: dict[str, float] = defaultdict(float)
        self.late_steps = 0

    def add(self, t: int, results: Results, state: State) -> None:
        """Add what the layers did at timestep ``t``."""
        counting, late = self.counting, 2 * (t - 1) >= self.counting.timesteps - 1
        self.late_steps += late
        for name, output in counting.outputs.items():
            self.outputs[name] = self.outputs[name] + output
            self.currents[name] = self.currents[name] + counting.currents[name]
            if late:
                self.late[name] = self.late[name] + counting.currents[name]
            self.spikes[name] += float(counting.spikes[name].mean())


def _row(layer: LayerInfo, sums: _Sums, module: nn.Module, activation: Tensor, timesteps: int) -> LayerRow:
    name, thresholds = layer.name, layer.neuron.v_threshold.flatten().tolist()
    neurons, mean = activation[0].numel(), sums.outputs[name] / timesteps
    parts = split_error(
        layer.neuron, module, mean, sums.currents[name] / timesteps, sums.late[name] / sums.late_steps,
        activation, timesteps,
    )  # fmt: skip
    return LayerRow(
        name=name,
        neurons=neurons,
        channels=activation.shape[1],
        v_threshold=(min(thresholds), statistics.median(thresholds), max(thresholds)),
        firing_rate=sums.spikes[name] / neurons / timesteps,
        rate_error=relative_length(mean - activation, activation),
        spikes_per_image=sums.spikes[name],
        error_parts={part: relative_length(value, activation) for part, value in parts.items()},
        input_error=relative_length(parts["startup"] + parts["upstream"], activation),
        saturated_channels=saturated_channels(layer.neuron, mean, timesteps),
    )


def saturated_channels(neuron: Neuron, output: Tensor, timesteps: int) -> int | None:
    """Return how many channels send the most they can too often, None where there is no most.

    Shapes: ``output``, averaged over the timesteps, is ``(B, C, *)``.
    """
    if neuron.alphabet is None:
        return None
    steps = output.abs() * timesteps / (neuron.alphabet[-1] * neuron.v_threshold)
    saturated = steps > round(SATURATED_STEPS * timesteps) - 0.5  # whole numbers but for rounding
    shares = saturated.transpose(0, 1).flatten(1).double().mean(dim=1)
    return int((shares > SATURATED_SHARE).sum())
