"""A converted network with the number formats of a chip: whole numbers for weights, thresholds and membrane potentials.

On a chip a threshold belongs to a layer, so what differs by channel is folded into the weights: those of a layer are
divided by the thresholds behind it and multiplied by the thresholds of the neurons that it reads. Then everything is
scaled, so that the largest weight or bias uses all bits, and rounded.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exporters.check.target import Precision
from seenn_convert.exporters.check.view import AVERAGE_POOL, MAX_POOL, NEURON, RESHAPE, WEIGHTED, Network
from seenn_convert.neurons.layers import Neuron
from seenn_convert.runtime.engine import Drives, State
from seenn_convert.runtime.policies import ExitPolicy
from seenn_convert.runtime.spiking_model import SpikingModel


@dataclass(frozen=True)
class _Layer:
    """A layer with weights, the thresholds behind it and those of the neurons that it reads, each broadcastable."""

    module: nn.Module
    behind: Tensor
    read: Tensor

    def folded(self) -> Tensor:
        """Return the weights in units in which every threshold is 1."""
        return _weight(self.module) * self.read / self.behind

    def folded_bias(self) -> Tensor | None:
        """Return the biases in these units, None if there are none."""
        bias = self.module.bias
        return None if not isinstance(bias, Tensor) else bias / self.behind.flatten()


class WholeNumbers:
    """A spiking model whose weights, thresholds and states are whole numbers of a few bits; runs like the model itself.

    Args:
        artifact: The network; it is copied.
        network: The same as a chip sees it.
        precision: The formats.
        host: Call sites that the host computes, as they are.
    """

    def __init__(self, artifact: Artifact, network: Network, precision: Precision, host: Collection[str] = ()) -> None:
        self.model = artifact.model()
        self.timesteps, self.policy = self.model.timesteps, self.model.policy
        self.saturated, self.states = 0, 0
        self._most = None if precision.state_bits is None else 2 ** (precision.state_bits - 1)
        self._units: dict[str, Tensor] = {}
        modules = _modules(self.model)
        largest = 2 ** (precision.weight_bits - 1) - 1
        for neuron, layers in _layers_by_neuron(artifact, network, modules, host).items():
            self._round(neuron, layers, largest, precision.weights_per == "channel", modules)

    def _round(
        self, neuron: str, layers: list[_Layer], largest: int, by_channel: bool, modules: Mapping[str, nn.Module]
    ) -> None:
        """Round all layers that one layer of neurons integrates to whole numbers of one scale, and the neurons too."""
        most = torch.stack([_most(layer, by_channel) for layer in layers]).amax(dim=0)
        scale = largest / most.clamp(min=torch.finfo(most.dtype).tiny)
        with torch.no_grad():
            for layer in layers:
                _round_layer(layer, scale, largest)
            module = modules.get(neuron)
            if isinstance(module, Neuron) and self._most is not None:
                per_row = scale.reshape(-1, *[1] * (module.v_threshold.dim() - 1)) if scale.numel() > 1 else scale
                unit = module.v_threshold / per_row
                module.v_threshold.copy_(unit * per_row.round().clamp(min=1))
                module.v_initial.copy_((module.v_initial / unit).round() * unit)
                self._units[f"{neuron}_v"] = unit

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch."""
        return self.model.drive(image)

    def plan(self, image: Tensor, drives: Iterable[Tensor]) -> Tensor:
        """Return the plan logits of a batch."""
        return self.model.plan(image, drives)

    def step(self, drives: Drives, state: State, /) -> tuple[Tensor, Tensor, State]:
        """Advance one timestep; membrane potentials are rounded, and stop at the ends of their format."""
        logits, score, following = self.model.step(drives, state)
        if self._most is None:
            return logits, score, following
        for name, unit in self._units.items():
            if name in following:
                following[name] = self._limited(following[name], unit, self._most)
        return logits, score, following

    def _limited(self, v: Tensor, unit: Tensor, most: int) -> Tensor:
        whole = (v / unit).round_()
        limited = whole.clamp(-most, most - 1)
        self.saturated += int((whole != limited).sum())
        self.states += whole.numel()
        return limited * unit

    def initial_state(self, batch_size: int) -> State:
        """Return the state of fresh rows."""
        return self.model.initial_state(batch_size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Its floating-point type."""
        return self.model.dtype

    policy: ExitPolicy
    timesteps: int


def _modules(model: SpikingModel) -> dict[str, nn.Module]:
    """Return node name -> module, of stem and step."""
    graphs: tuple[fx.GraphModule, ...] = (model.stem, model.step_graph)
    return {
        node.name: graph.get_submodule(str(node.target))
        for graph in graphs
        for node in graph.graph.nodes
        if node.op == "call_module"
    }


def _layers_by_neuron(
    artifact: Artifact, network: Network, modules: Mapping[str, nn.Module], host: Collection[str]
) -> dict[str, list[_Layer]]:
    """Return layer of neurons -> the layers with weights that it integrates; a readout is under its own name."""
    found: dict[str, list[_Layer]] = {}
    nodes = {node.name: node for node in artifact.ann.graph_module.graph.nodes}
    parts = {site.name: site.part for site in network.sites}
    for site in network.sites:
        if site.part not in WEIGHTED or site.name in host or site.name not in modules:
            continue
        module, behind = modules[site.name], site.facts["neurons_behind"]
        neuron = str(behind[0]) if isinstance(behind, tuple) and behind else None
        read = _neurons_read(nodes[site.name], parts)
        layer = _Layer(
            module,
            _fitted(module, _thresholds(neuron, modules), 0),
            _fitted(module, _thresholds(read, modules), 1),
        )
        found.setdefault(neuron or site.name, []).append(layer)
    return found


def _neurons_read(node: fx.Node, parts: Mapping[str, str]) -> str | None:
    """Return the layer of neurons that a layer with weights reads, past views and pooling; None if not just one."""
    while len(node.all_input_nodes) == 1:
        node = node.all_input_nodes[0]
        if parts.get(node.name) == NEURON:
            return node.name
        if parts.get(node.name) not in (RESHAPE, AVERAGE_POOL, MAX_POOL):
            return None
    return None


def _thresholds(neuron: str | None, modules: Mapping[str, nn.Module]) -> Tensor:
    module = None if neuron is None else modules.get(neuron)
    return module.v_threshold.flatten().clone() if isinstance(module, Neuron) else torch.ones(1)


def _fitted(module: nn.Module, thresholds: Tensor, axis: int) -> Tensor:
    """Return thresholds per channel in the shape of one axis of a weight, 1 where they do not fit it."""
    weight = _weight(module)
    size, count = weight.shape[axis], thresholds.numel()
    if count > 1 and isinstance(module, nn.Linear) and axis == 1 and module.in_features % count == 0:
        thresholds = thresholds.repeat_interleave(module.in_features // count)
        thresholds = torch.cat([thresholds, thresholds.new_ones(size - thresholds.numel())])
    if thresholds.numel() not in (1, size) or getattr(module, "transposed", False):
        thresholds = torch.ones(1)
    shape = [1] * weight.dim()
    shape[axis] = thresholds.numel()
    return thresholds.to(weight).reshape(shape)


def _weight(module: nn.Module) -> Tensor:
    weight = module.weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(module).__name__} has no weights")
    return weight.detach()


def _most(layer: _Layer, by_channel: bool) -> Tensor:
    """Return the largest folded weight or bias: of the layer ``()``, or of each output channel ``(O,)``."""
    weights, bias = layer.folded().abs(), layer.folded_bias()
    most = weights.flatten(1).amax(dim=1)
    if bias is not None:
        most = torch.maximum(most, bias.abs().expand_as(most))
    return most if by_channel else most.amax()


def _round_layer(layer: _Layer, scale: Tensor, largest: int) -> None:
    """Round weights and biases to whole numbers over ``scale``, in place."""
    per_weight = scale.reshape(-1, *[1] * (layer.behind.dim() - 1)) if scale.numel() > 1 else scale
    whole = (layer.folded() * per_weight).round_().clamp_(-largest - 1, largest)
    _weight(layer.module).copy_(whole / per_weight * layer.behind / layer.read)
    bias, target = layer.folded_bias(), layer.module.bias
    if bias is not None and isinstance(target, Tensor):
        target.copy_((bias * scale).round_().clamp_(-largest - 1, largest) / scale * layer.behind.flatten())
