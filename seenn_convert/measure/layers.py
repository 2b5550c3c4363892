"""The table of neuron layers: what each does, and if there is an ANN, how far it is from the ANN's activation."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

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
from seenn_convert.rows import in_memory_order, pad_rows
from seenn_convert.runtime.engine import Results, State, unroll
from seenn_convert.runtime.spiking_model import LayerInfo, SpikingModel

SATURATED_STEPS, SATURATED_SHARE = 0.9, 0.05
"""A neuron is saturated by an image for which it sends the most it can in this share of the timesteps, rounded to whole
ones; a channel is saturated where more than that share of its neurons and images are. The start-up takes the rest."""


def layer_rows(ann: Program, model: SpikingModel, images: Tensor) -> list[LayerRow]:
    """Run all timesteps on ``images`` ``(B, *input_shape)`` and return a row for each layer of neurons."""
    images, table = images.to(model.device, model.dtype), LayerTable(ann, model)
    counting = CountingModel(model, table.watch)
    table.expect(images, range(len(images)))
    unroll(counting.step, counting.drive(images), counting.initial_state(len(images)), model.timesteps, [table.add])
    return table.rows()


class LayerTable:
    """What the layers of neurons do on some images of a run, added up batch by batch.

    ``expect`` says before a batch which of its images count, ``watch`` belongs to the counting model that runs them,
    and ``add`` is an observer of the run. Only the sums of one batch are kept, and a few numbers of each image.
    """

    def __init__(self, ann: Program | None, model: SpikingModel) -> None:
        self.ann, self.timesteps, self.late_from = ann, model.timesteps, model.timesteps // 2 + 1
        calls = () if ann is None else ann.calls()
        modules = {node.name: module for node, module in calls if isinstance(module, SPIKING_OPERATORS)}
        self.layers = {layer.name: _Layer(layer, modules.get(layer.name), model.timesteps) for layer in model.layers}
        self.t, self.chosen, self.images = 1, torch.zeros(0, dtype=torch.int64), torch.zeros(0)
        self.sums: dict[tuple[str, str], Tensor] = {}

    def expect(self, images: Tensor, chosen: Sequence[int]) -> None:
        """Begin a batch, of which the images at the positions ``chosen`` count: they are ``images``."""
        self.t, self.images, self.sums = 1, images, {}
        self.chosen = torch.tensor(list(chosen), dtype=torch.int64, device=images.device)

    def watch(self, name: str, output: Tensor, current: Tensor, spikes: Tensor) -> None:
        """Add what a layer sent and integrated at this timestep."""
        if not len(self.chosen):
            return
        seen = {"output": output, "current": current, "spikes": spikes}
        if self.t >= self.late_from:  # the second half of the run, with the middle of an odd one
            seen["late"] = current
        for what, values in seen.items():
            if (name, what) in self.sums:
                self.sums[name, what].add_(values[self.chosen])
            else:
                self.sums[name, what] = values[self.chosen]

    def add(self, t: int, results: Results, state: State) -> None:
        """Note that timestep ``t`` is over; after the last one, compare the batch with the ANN."""
        self.t = t + 1
        if t < self.timesteps or not len(self.chosen):
            return

        def compare(name: str, result: Tensor) -> None:
            if name in self.layers:
                late_steps = self.timesteps - self.late_from + 1
                steps = {"output": self.timesteps, "current": self.timesteps, "late": late_steps}
                output, current, late = (self.sums.pop((name, what)).div_(count) for what, count in steps.items())
                self.layers[name].count(output, self.sums.pop((name, "spikes")))
                self.layers[name].compare(result[: len(self.images)], output, current, late)

        if self.ann is None:
            for name, layer in self.layers.items():
                layer.count(self.sums[name, "output"].div_(self.timesteps), self.sums[name, "spikes"])
        else:
            read_results(self.ann.graph_module, [pad_rows(self.images)], compare)

    def rows(self) -> list[LayerRow]:
        """Return a row for each layer of neurons, in order."""
        return [layer.row() for layer in self.layers.values()]


class _Layer:
    """One layer of neurons: what its table row is made of, image by image."""

    def __init__(self, layer: LayerInfo, module: nn.Module | None, timesteps: int) -> None:
        self.layer, self.module, self.timesteps = layer, module, timesteps
        self.lengths: dict[str, list[Tensor]] = defaultdict(list)
        self.neurons, self.spikes, self.images = 0, 0.0, 0
        self.saturated = torch.zeros(0, dtype=torch.float64)

    def count(self, output: Tensor, spikes: Tensor) -> None:
        """Add images: the mean output ``(B, *F)`` over the timesteps, and the spikes ``(B,)``."""
        saturated = _saturated(self.layer.neuron, output, self.timesteps)
        self.saturated = saturated if self.images == 0 else self.saturated + saturated
        self.neurons, self.images = output[0].numel(), self.images + len(output)
        self.spikes += float(spikes.sum())

    def compare(self, activation: Tensor, output: Tensor, current: Tensor, late: Tensor) -> None:
        """Add how far these means are from the ANN's activation, ``(B, *F)`` each."""
        neuron = self.layer.neuron
        assert self.module is not None
        parts = split_error(neuron, self.module, output, current, late, activation, self.timesteps)
        vectors = {"": activation, "rate": output - activation, **parts, "input": parts["startup"] + parts["upstream"]}
        for name, vector in vectors.items():
            rows = in_memory_order(vector).flatten(1)
            self.lengths[name].append(torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).cpu())

    def row(self) -> LayerRow:
        """Return the row of the table."""
        neuron, thresholds = self.layer.neuron, self.layer.neuron.v_threshold.flatten().tolist()
        lengths = {name: torch.cat(found) for name, found in self.lengths.items()}
        whole = lengths.pop("", torch.zeros(0))
        relative = {name: relative_length(found, whole) for name, found in lengths.items()}
        return LayerRow(
            name=self.layer.name,
            neurons=self.neurons,
            channels=len(self.saturated),
            v_threshold=(min(thresholds), statistics.median(thresholds), max(thresholds)),
            firing_rate=self.spikes / self.images / self.neurons / self.timesteps,
            rate_error=relative.pop("rate", None),
            spikes_per_image=self.spikes / self.images,
            input_error=relative.pop("input", None),
            error_parts=relative,
            saturated_channels=_often(neuron, self.saturated, self.images * self.neurons),
        )


def saturated_channels(neuron: Neuron, output: Tensor, timesteps: int) -> int | None:
    """Return how many channels send the most they can too often, None where there is no most.

    Shapes: ``output``, averaged over the timesteps, is ``(B, C, *)``.
    """
    return _often(neuron, _saturated(neuron, output, timesteps), output.numel())


def _saturated(neuron: Neuron, output: Tensor, timesteps: int) -> Tensor:
    """Return how many neurons of each channel ``(C,)`` images saturate, all together; none where there is no most."""
    if neuron.alphabet is None:
        return torch.zeros(output.shape[1], dtype=torch.float64)
    steps = output.abs() * timesteps / (neuron.alphabet[-1] * neuron.spike)
    saturated = steps > round(SATURATED_STEPS * timesteps) - 0.5  # whole numbers but for rounding
    return saturated.transpose(0, 1).flatten(1).double().sum(dim=1).cpu()


def _often(neuron: Neuron, saturated: Tensor, of: int) -> int | None:
    """Return in how many channels that is too often, ``of`` neurons and images in all channels together."""
    return None if neuron.alphabet is None else int((saturated > SATURATED_SHARE * of / len(saturated)).sum())
