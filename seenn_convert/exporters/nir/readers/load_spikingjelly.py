"""Load ``network.nir`` with SpikingJelly, and apply what a NIR file cannot say: first potentials, the soft reset.

    network = Network()
    network.start(rows=len(images))
    for t in range(timesteps):
        output, spikes = network.step(images)  # (B, K), and the spikes of each layer by its name

The mean output up to timestep t is the logits of that timestep; ``seenn.json`` has the rest.
"""

from pathlib import Path
from typing import Any

import nir
import torch
from spikingjelly.activation_based.neuron import IFNode
from spikingjelly.activation_based.nir_exchange import import_from_nir

RUNTIME = "spikingjelly"


class Network:
    """The network in the folder of an export."""

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        self.graph = nir.read(Path(folder) / "network.nir")
        layers = {name: node for name, node in self.graph.nodes.items() if isinstance(node, nir.IF)}
        self.starts = {name: node.metadata["v_initial"] for name, node in layers.items()}
        self.model = import_from_nir(self.graph)
        self.spikes: dict[str, Any] = {}
        for name in self.starts:
            layer = self.model.get_submodule(name)
            assert isinstance(layer.module, IFNode)
            layer.module.v_reset = None  # a reset by subtraction
            layer.register_forward_hook(lambda _, __, sent, name=name: self.spikes.update({name: sent[0]}))

    def start(self, rows: int) -> None:
        """Begin with a batch of fresh rows."""
        self.state: dict[str, Any] = dict.fromkeys(name for name, _ in self.model.named_children())
        for name, start in self.starts.items():
            self.state[name] = (torch.as_tensor(start).expand(rows, *start.shape).clone(),)

    @torch.no_grad()
    def step(self, images: Any) -> tuple[Any, dict[str, Any]]:
        """Advance one timestep; return its output and its spikes."""
        output, self.state = self.model(images, self.state)
        return output, dict(self.spikes)
