"""Small networks that run in time, with explicit state: what a user may have trained directly."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass
class Synaptic:
    """A current that decays, a membrane, and the sum of the outputs."""

    i: Tensor
    v: Tensor
    readout: Tensor


class SynapticNet(nn.Module):
    """Current-based neurons with a hard reset, and a leaky readout that never fires."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(64, 3)

    def step(self, image: Tensor, state: Synaptic | None) -> tuple[Tensor, Synaptic]:
        current = self.norm(self.conv(image))
        if state is None:
            zero = torch.zeros_like(current)
            state = Synaptic(zero, zero, image.new_zeros(len(image), 3))
        i = 0.8 * state.i + current
        v = state.v + 0.3 * (i - state.v)
        spikes = (v > 0.4).to(v.dtype)
        readout = 0.9 * state.readout + self.head(F.max_pool2d(spikes, 2).flatten(1))
        return readout, Synaptic(i, torch.where(spikes > 0, torch.zeros_like(v), v), readout)


class Membranes(NamedTuple):
    hidden: Tensor
    sent: Tensor


class RecurrentNet(nn.Module):
    """Neurons with a soft reset that read their own spikes of the timestep before; ``forward`` is the timestep."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.back, self.head = nn.Linear(64, 20), nn.Linear(20, 20), nn.Linear(20, 3)

    def forward(self, image: Tensor, state: Membranes | None = None) -> tuple[Tensor, Membranes]:
        if state is None:
            zero = image.new_zeros(len(image), 20)
            state = Membranes(zero, zero)
        hidden = 0.7 * state.hidden + (self.inward(image.flatten(1)) + self.back(state.sent))
        sent = (hidden >= 0.3).to(hidden.dtype)
        return self.head(sent), Membranes(hidden - 0.3 * sent, sent)


class NestedNet(nn.Module):
    """States in a dict and a tuple, of which one starts at half its threshold; it ends in neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.head = nn.Linear(64, 12), nn.Linear(12, 3)

    def step(self, image: Tensor, state: dict[str, Any] | None) -> tuple[Tensor, dict[str, Any]]:
        if state is None:
            state = {"layers": (image.new_full((len(image), 12), 0.5), image.new_zeros(len(image), 3))}
        first, last = state["layers"]
        first = first + self.inward(image.flatten(1))
        spikes = (first >= 1).float()
        last = 0.5 * last + self.head(spikes)
        sent = (last > 0.2).float()
        return sent, {"layers": (first - spikes, last * (1 - sent))}


def network(kind: type[nn.Module]) -> Any:
    """Return a network with the same random weights every time, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = kind().eval()
    for child in made.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.fill_(0.1)
            child.running_var.fill_(0.6)
    return made


def outputs(module: Any, images: Tensor, timesteps: int) -> Tensor:
    """Return what a network with explicit state returns at each timestep, ``(T, B, K)``."""
    step, state, found = getattr(module, "step", module), None, []
    with torch.no_grad():
        for _ in range(timesteps):
            output, state = step(images, state)
            found.append(output)
    return torch.stack(found)
