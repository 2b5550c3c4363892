"""Count what a spiking run does: spikes of every layer and the synaptic operations they cause, image by image."""

from collections.abc import Iterable

import torch
from torch import Tensor, fx, nn

from seenn_convert.report.coverage import macs_of
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.spiking import Neuron


class CountingModel(nn.Module):
    """A spiking model that also keeps, for the last batch, the counts of each timestep.

    ``spikes`` maps a neuron layer to nonzero outputs ``(B,)`` of the last step; ``operations`` maps a weight layer to
    the accumulates ``(B,)`` its nonzero inputs caused: each costs the layer's mean fan-out.
    """

    def __init__(self, model: SpikingModel) -> None:
        super().__init__()
        self.model = model
        self.timesteps, self.policy = model.timesteps, model.policy
        self.spikes: dict[str, Tensor] = {}
        self.operations: dict[str, Tensor] = {}
        self.outputs: dict[str, Tensor] = {}
        self._runner = _Runner(model.step_graph, self)

    def drive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Return the drives of a batch."""
        return self.model.drive(image)

    def initial_state(self, batch_size: int) -> dict[str, Tensor]:
        """Return the state of fresh rows."""
        return self.model.initial_state(batch_size)

    def step(self, drives: Iterable[Tensor], state: dict[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Advance one timestep and count."""
        logits, score, *following = self._runner.run(*drives, *state.values())
        return logits, score, dict(zip(state, following, strict=True))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Its floating-point type."""
        return self.model.dtype


class _Runner(fx.Interpreter):
    """Runs the step node by node and counts on the way."""

    def __init__(self, step: fx.GraphModule, counts: CountingModel) -> None:
        super().__init__(step)
        self.counts = counts
        self.modules = {n: step.get_submodule(str(n.target)) for n in step.graph.nodes if n.op == "call_module"}

    def run_node(self, n: fx.Node) -> object:
        module = self.modules.get(n)
        result = super().run_node(n)
        if isinstance(module, Neuron):
            output: Tensor = result[0]
            self.counts.outputs[n.name] = output
            self.counts.spikes[n.name] = _nonzero(output)
        elif isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)) and isinstance(result, Tensor):
            current: Tensor = self.env[n.all_input_nodes[0]]
            fan_out = macs_of(module, tuple(result.shape[1:])) / current[0].numel()
            self.counts.operations[n.name] = _nonzero(current) * fan_out
        return result


def _nonzero(values: Tensor) -> Tensor:
    return torch.count_nonzero(values.flatten(1), dim=1).double()
