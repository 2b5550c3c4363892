"""Load ``network.nir`` with Spyx, and apply what a NIR file cannot say: first potentials, spikes behind the input.

    network = Network()
    network.start(rows=len(images))
    for t in range(timesteps):
        output, spikes = network.step(images)  # (B, K), and the spikes of each layer by its name

Images have the channels first, as everywhere else. Layers of Spyx are run one by one, since its neurons decide before
the input arrives: here a spike is taken from the membrane behind it, and the layer subtracts it at the next timestep.
The mean output up to timestep t is the logits of that timestep; ``seenn.json`` has the rest.
"""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import nir
import numpy as np
import spyx.nir
from flax import nnx
from spyx.nn import IF

RUNTIME = "spyx"


class Network:
    """The network in the folder of an export."""

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        graph = nir.read(Path(folder) / "network.nir")
        following = dict(graph.edges)
        names, name = [], "input"
        while (name := following[name]) != "output":
            names.append(name)
        self.graph, self.is_map = graph, len(graph.nodes["input"].input_type["input"]) == 3
        # one timestep of one blank image: from_nir builds the network and runs it
        shape = [int(size) for size in graph.nodes["input"].input_type["input"]]
        blank = jnp.zeros((1, 1, *(shape[1:] + shape[:1] if self.is_map else shape)))
        model, _ = spyx.nir.from_nir(graph, blank, rngs=nnx.Rngs(0))
        self.layers = dict(zip(names, model.layers, strict=True))

    def start(self, rows: int) -> None:
        """Begin with a batch of fresh rows."""
        self.state = {}
        for name, layer in self.layers.items():
            if isinstance(layer, IF):
                start = _last(np.asarray(self.graph.nodes[name].metadata["v_initial"])[None])
                self.state[name] = jnp.broadcast_to(start, (rows, *start.shape[1:]))

    def step(self, images: Any) -> tuple[Any, dict[str, Any]]:
        """Advance one timestep; return its output and its spikes."""
        value, spikes = jnp.asarray(_last(np.asarray(images))), {}
        for name, layer in self.layers.items():
            if isinstance(layer, IF):
                _, self.state[name] = layer(value, self.state[name])
                value = layer.spike(self.state[name] - layer.threshold)
                spikes[name] = _first(np.asarray(value))
            else:
                value = layer(value)
        return _first(np.asarray(value)), spikes


def _last(values: Any) -> Any:
    """Return a batch with the channels last."""
    return np.moveaxis(values, 1, -1) if values.ndim == 4 else values


def _first(values: Any) -> Any:
    """Return a batch with the channels first."""
    return np.moveaxis(values, -1, 1) if values.ndim == 4 else values
