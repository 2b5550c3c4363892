"""The table of neuron layers: what each does, and how far its mean output is from the ANN's activation."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, fx

from seenn_convert.operators import RELU_FAMILY
from seenn_convert.program import Program
from seenn_convert.report.instruments import CountingModel
from seenn_convert.runtime.spiking_model import SpikingModel


@dataclass(frozen=True)
class LayerRow:
    """One layer of neurons.

    Attributes:
        name: Node name.
        neurons: Number of neurons.
        v_threshold: Smallest, median and largest threshold.
        firing_rate: Spikes, of either sign, a neuron and timestep.
        rate_error: Norm of (mean output - activation) over the norm of the activation, after all timesteps.
        spikes_per_image: Over all timesteps.
        operation_share: Share of all synaptic operations that this layer's spikes cause.
    """

    name: str
    neurons: int
    v_threshold: tuple[float, float, float]
    firing_rate: float
    rate_error: float
    spikes_per_image: float
    operation_share: float | None = None
    dead_channels: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        return asdict(self)


def layer_rows(ann: Program, model: SpikingModel, images: Tensor) -> list[LayerRow]:
    """Run all timesteps on ``images`` ``(B, *input_shape)`` and return a row for each layer of neurons."""
    images = images.to(model.device, model.dtype)
    counting = CountingModel(model)
    drives, state = counting.drive(images), counting.initial_state(len(images))
    sums: dict[str, Tensor] = {}
    spikes: dict[str, float] = {}
    for _ in range(model.timesteps):
        _, _, state = counting.step(drives, state)
        for name, output in counting.outputs.items():
            sums[name] = output if name not in sums else sums[name] + output
            spikes[name] = spikes.get(name, 0.0) + float(counting.spikes[name].mean())
    wanted = _Activations(ann)
    wanted.run(images)
    return [
        _row(layer.name, layer.neuron.v_threshold, sums[layer.name] / model.timesteps, wanted.values[layer.name],
             spikes[layer.name], model.timesteps)
        for layer in model.layers
    ]  # fmt: skip


def _row(
    name: str, v_threshold: Tensor, mean: Tensor, activation: Tensor, spikes: float, timesteps: int
) -> LayerRow:
    neurons = activation[0].numel()
    error = torch.linalg.vector_norm(mean - activation) / torch.linalg.vector_norm(activation).clamp(min=1e-12)
    return LayerRow(
        name=name,
        neurons=neurons,
        v_threshold=(float(v_threshold.min()), float(v_threshold.median()), float(v_threshold.max())),
        firing_rate=spikes / neurons / timesteps,
        rate_error=float(error),
        spikes_per_image=spikes,
    )


class _Activations(fx.Interpreter):
    """Keeps the result of every activation of one run."""

    def __init__(self, ann: Program) -> None:
        super().__init__(ann.graph_module)
        self.names = {node.name for node, module in ann.calls() if isinstance(module, RELU_FAMILY)}
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> object:
        result = super().run_node(n)
        if n.name in self.names and isinstance(result, Tensor):
            self.values[n.name] = result
        return result
