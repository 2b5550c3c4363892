"""Load ``network.nir`` with sinabs, and apply what a NIR file cannot say: first potentials, one spike per timestep.

    network = Network()
    network.start(rows=len(images))
    for t in range(timesteps):
        output, spikes = network.step(images)  # (B, K), and the spikes of each layer by its name

The mean output up to timestep t is the logits of that timestep; ``seenn.json`` has the rest.
"""

from pathlib import Path
from typing import Any

import nir
import sinabs.layers
import sinabs.nir
import torch
from sinabs.activation import SingleSpike

RUNTIME = "sinabs"


class Network:
    """The network in the folder of an export."""

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        self.graph = nir.read(Path(folder) / "network.nir")
        self.model = sinabs.nir.from_nir(self.graph, num_timesteps=1)
        self.model.execution_order = in_order(self.model)
        self.spikes: dict[str, Any] = {}
        self.layers = {n: m for n, m in self.model.named_children() if isinstance(m, sinabs.layers.IAFSqueeze)}
        for name, layer in self.layers.items():
            layer.spike_fn, layer.min_v_mem = SingleSpike, None
            layer.register_forward_hook(lambda _, __, sent, name=name: self.spikes.update({name: sent}))

    def start(self, rows: int) -> None:
        """Begin with a batch of fresh rows."""
        for name, layer in self.layers.items():
            start = torch.as_tensor(self.graph.nodes[name].metadata["v_initial"])
            layer.v_mem = start.expand(rows, *start.shape).clone()
        self.state = None

    @torch.no_grad()
    def step(self, images: Any) -> tuple[Any, dict[str, Any]]:
        """Advance one timestep; return its output and its spikes."""
        output, self.state = self.model(images, self.state)
        return output, dict(self.spikes)


def in_order(model: Any) -> list[Any]:
    """Return the nodes of a graph executor of nirtorch, each behind all that it reads.

    Its own order puts a sum behind the first of its inputs only; it then reads the others as they were a timestep ago.
    """
    left, found = list(model.execution_order), list[Any]()
    while left:
        known = {node.name for node in found}
        ready = [n for n in left if all(s.name in known for s in model.graph.find_source_nodes_of(n))]
        found += ready
        left = [node for node in left if node not in ready]
    return found
