"""Load ``network.nir`` with snnTorch, and apply what a NIR file cannot say: no leak, first potentials, the soft reset.

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
from snntorch import Leaky
from snntorch.import_nir import import_from_nir

RUNTIME = "snntorch"


class Network:
    """The network in the folder of an export."""

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        self.graph = nir.read(Path(folder) / "network.nir")
        layers = {name: node for name, node in self.graph.nodes.items() if isinstance(node, nir.IF)}
        self.starts = {name: node.metadata["v_initial"] for name, node in layers.items()}
        self.model = import_from_nir(self.graph)
        self.spikes: dict[str, Any] = {}
        self.layers = {n: m for n, m in self.model.named_children() if isinstance(m, Leaky)}
        for name, layer in self.layers.items():
            layer.init_hidden = True  # it is imported as a layer that sends its membrane potential, too
            layer.beta = torch.ones_like(layer.beta)
            layer.reset_delay = True  # the reset comes with the next input: exact for any membrane potential
            layer.register_forward_hook(lambda _, __, sent, name=name: self.spikes.update({name: sent}))

    def start(self, rows: int) -> None:
        """Begin with a batch of fresh rows."""
        for name, layer in self.layers.items():
            start = torch.as_tensor(self.starts[name])
            layer.mem = start.expand(rows, *start.shape).clone()
        self.state: Any = None

    @torch.no_grad()
    def step(self, images: Any) -> tuple[Any, dict[str, Any]]:
        """Advance one timestep; return its output and its spikes."""
        output, self.state = self.model(images, self.state)
        return output, dict(self.spikes)
