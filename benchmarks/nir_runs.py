"""How readers of NIR run a graph as they import it, and how every spike of whole runs compares with the network."""

from collections.abc import Callable, Iterator
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.choices import Reader
from seenn_convert.exporters.nir.comparison import Run, own_run
from seenn_convert.exporters.nir.interpreter import Sent


def sinabs_run(graph: Any) -> Run:
    """Return a graph as sinabs imports it."""
    import sinabs.layers
    import sinabs.nir

    return executor_run(lambda: sinabs.nir.from_nir(graph, num_timesteps=1), (sinabs.layers.IAFSqueeze,))


def norse_run(graph: Any) -> Run:
    """Return a graph as Norse imports it."""
    import norse.torch
    from norse.torch.utils.import_nir import CubaLIF

    return executor_run(lambda: norse.torch.from_nir(graph, dt=1.0), (CubaLIF,))


def snntorch_run(graph: Any) -> Run:
    """Return a graph as snnTorch imports it."""
    from snntorch import Leaky
    from snntorch.import_nir import import_from_nir

    return executor_run(lambda: import_from_nir(graph), (Leaky,))


def spikingjelly_run(graph: Any) -> Run:
    """Return a graph as SpikingJelly imports it."""
    from spikingjelly.activation_based.nir_exchange import from_nir

    return executor_run(lambda: from_nir.import_from_nir(graph), (from_nir._NIRStatefulModule,))


def executor_run(make: Callable[[], Any], layers: tuple[type, ...]) -> Run:
    """Return a run of a model that is called with its input and its state, made anew for each batch."""

    def steps(images: Tensor, timesteps: int) -> Iterator[Sent]:
        model, state, spikes = make(), None, {}
        for name, layer in model.named_children():
            if isinstance(layer, layers):
                layer.register_forward_hook(
                    lambda _, __, sent, name=name: spikes.update({name: sent[0] if isinstance(sent, tuple) else sent})
                )
        for _ in range(timesteps):
            with torch.no_grad():
                output, state = model(images, state)
            yield Sent(output, dict(spikes))

    return steps


def spyx_run(graph: Any) -> Run:
    """Return a graph as Spyx imports it."""
    import jax.numpy as jnp
    import spyx.nir
    from spyx.nn import IF

    following, names = dict(graph.edges), ["input"]
    while names[-1] != "output":
        names.append(following[names[-1]])

    def steps(images: Tensor, timesteps: int) -> Iterator[Sent]:
        given = jnp.asarray(np.moveaxis(images.numpy(), 1, -1))
        given = jnp.broadcast_to(given[None], (timesteps, *given.shape))
        model, (outputs, states) = spyx.nir.from_nir(graph, given, return_all_states=True)
        for t in range(timesteps):
            spikes = {}
            for name, layer, state in zip(names[1:-1], model.layers, states, strict=True):
                if isinstance(layer, IF):
                    held = jnp.zeros_like(state[0]) if t == 0 else state[t - 1]  # it decides before the input
                    sent = np.asarray(layer.spike(held - layer.threshold))
                    spikes[name] = torch.from_numpy(np.moveaxis(sent, -1, 1).copy())
            yield Sent(torch.from_numpy(np.array(outputs[t])).flatten(1), spikes)

    return steps


def double_run(artifact: sc.Artifact) -> Run:
    """Return a run of the network itself in double precision: what rounding alone changes."""
    model = artifact.model().double()

    def steps(images: Tensor, timesteps: int) -> Iterator[Sent]:
        before = torch.zeros(())
        for t, seen in enumerate(own_run(model, images.double()), 1):
            total = seen.logits * t
            yield Sent((total - before).float(), seen.spikes)
            before = total

    return steps


def nirtorch_run(graph: Any) -> Run:
    """Return a graph of primitives as nirtorch runs it.

    It has no module for integrator, threshold and scale; and its own for Affine loses the bias.
    """
    import nirtorch

    class Integrator(nn.Module):
        def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
            v = x if state is None else state + x
            return v, v

    class Fires(nn.Module):
        def __init__(self, node: Any) -> None:
            super().__init__()
            self.register_buffer("threshold", torch.from_numpy(node.threshold))

        def forward(self, v: Tensor) -> Tensor:
            return (v > self.threshold).float()

    class Scales(nn.Module):
        def __init__(self, node: Any) -> None:
            super().__init__()
            self.register_buffer("factor", torch.from_numpy(node.scale))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    def affine(node: Any) -> nn.Linear:
        layer = nn.Linear(*reversed(node.weight.shape))
        layer.weight.data, layer.bias.data = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
        return layer

    known = {nir.I: lambda _: Integrator(), nir.Threshold: Fires, nir.Scale: Scales, nir.Affine: affine}

    def steps(images: Tensor, timesteps: int) -> Iterator[Sent]:
        model, state, spikes = nirtorch.nir_to_torch(graph, known), None, dict[str, Tensor]()
        for name, layer in model.named_children():
            if isinstance(layer, Fires):
                layer.register_forward_hook(lambda _, __, sent, name=name: spikes.update({name: sent}))
        for _ in range(timesteps):
            with torch.no_grad():
                output, state = model(images, state)
            yield Sent(output, dict(spikes))

    return steps


def compared(artifact: sc.Artifact, theirs: Run, images: Tensor, batch_size: int = 100) -> dict[str, Any]:
    """Return how whole runs of all timesteps compare with the network: spikes, their counts, outputs, answers."""
    found = {"spikes": 0, "spikes_differ": 0, "places": 0, "counts_equal": 0, "answers_equal": 0, "error": 0.0}
    model = artifact.model()
    with torch.no_grad():
        for batch in images.split(batch_size):
            counts, total = torch.zeros(len(batch), len(model.layers)), torch.zeros(())
            for seen, sent in zip(own_run(model, batch), theirs(batch, model.timesteps), strict=True):
                if sent.output.flatten(1).shape != seen.logits.shape:
                    raise ValueError(f"its output is that of another node, {sent.output.flatten(1).shape[1]} numbers")
                total = total + sent.output.flatten(1)
                for number, (name, fired) in enumerate(seen.spikes.items()):
                    other = sent.spikes[name].reshape(fired.shape)
                    found["spikes"] += int(fired.sum())
                    found["places"] += fired.numel()
                    found["spikes_differ"] += int((fired != other).sum())
                    counts[:, number] += fired.flatten(1).sum(1) - other.flatten(1).sum(1)
            found["counts_equal"] += int((counts == 0).all(1).sum())
            found["answers_equal"] += int((total.argmax(1) == seen.logits.argmax(1)).sum())
            error = (total / model.timesteps - seen.logits).abs().max() / seen.logits.abs().max()
            found["error"] = max(found["error"], float(error))
    return found


ALONE: dict[Reader, Callable[[Any], Run]] = {
    "primitives": nirtorch_run, "sinabs": sinabs_run, "norse": norse_run, "snntorch": snntorch_run,
    "spikingjelly": spikingjelly_run, "spyx": spyx_run,
}  # fmt: skip
"""Reader -> how a graph runs as the reader imports it."""
