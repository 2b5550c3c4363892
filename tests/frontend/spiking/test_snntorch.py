"""Networks of snnTorch layers fire as the library lets them fire, at every layer and timestep."""

from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.errors import InputError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.frontend.spiking.libraries import as_ours
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt

snn = pytest.importorskip("snntorch", reason="snnTorch is not installed")
utils = pytest.importorskip("snntorch.utils", reason="snnTorch is not installed")

TIMESTEPS = 5
NEURONS: dict[str, dict[str, Any]] = {
    "subtract": {"beta": 0.9},
    "subtract at once": {"beta": 0.8, "reset_delay": False},
    "subtract at once, far above the threshold": {"beta": 0.95, "reset_delay": False, "threshold": 0.06},
    "zero": {"beta": 0.7, "threshold": 0.6, "reset_mechanism": "zero"},
    "zero at once": {"beta": 0.7, "reset_mechanism": "zero", "reset_delay": False},
    "none": {"beta": 0.5, "reset_mechanism": "none"},
    "learned": {"beta": 0.6, "learn_beta": True, "threshold": 0.8, "learn_threshold": True},
    "one leak a neuron": {"beta": torch.linspace(0, 1.2, 20)},
}


@pytest.mark.parametrize("name", NEURONS)
def test_a_layer_of_neurons_fires_alike(name: str) -> None:
    """The membrane after the spikes is the library's, too, from whatever membrane it starts."""
    theirs = snn.Leaky(**NEURONS[name])
    currents = torch.rand(20, 64, 20, generator=torch.Generator().manual_seed(1)) * 0.7 - 0.1
    ours = as_ours("it", theirs, torch.float32)
    membrane = v = torch.rand(64, 20, generator=torch.Generator().manual_seed(2)) * 4 - 1
    fired = 0.0
    with torch.no_grad():
        for current in currents:
            expected, membrane = theirs(current, membrane)
            spikes, v = ours(current, v)
            assert torch.equal(spikes, expected)
            torch.testing.assert_close(v, membrane)
            fired += float(expected.mean())
    assert fired > 0


def test_a_membrane_at_the_threshold_does_not_fire() -> None:
    theirs = snn.Leaky(beta=0.5)
    ours, one = as_ours("it", theirs, torch.float32), torch.ones(1, 1)
    assert theirs(one, torch.zeros(1, 1))[0].item() == ours(one, torch.zeros(1, 1))[0].item() == 0


def network(**options: Any) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), snn.Leaky(beta=0.9, init_hidden=True), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 20),
            snn.Leaky(init_hidden=True, **options), nn.Linear(20, 3), snn.Leaky(beta=0.7, init_hidden=True, output=True),
        ).eval()  # fmt: skip


def adopted(net: nn.Module, **options: Any) -> Any:
    return adopt(net, small.dataset(60), AdoptOptions(timesteps=TIMESTEPS, target=ExitTarget(drop=5.0), **options))


def run(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    utils.reset(net)
    with torch.no_grad():
        outputs = [net(images) for _ in range(TIMESTEPS)]
    return torch.stack([spikes for spikes, _ in outputs]), torch.stack([membrane for _, membrane in outputs])


@pytest.mark.parametrize("name", NEURONS)
def test_a_network_gives_the_firing_rates_of_the_library(name: str) -> None:
    net, images = network(**NEURONS[name]), small.draw(40, 9)[0]
    artifact = adopted(net)
    logits = collect_readouts(artifact.model(), [images], keep_logits=True).logits
    expected = run(net, images)[0].cumsum(0) / torch.arange(1, TIMESTEPS + 1).reshape(-1, 1, 1)
    torch.testing.assert_close(logits, expected)


def test_its_last_membrane_can_be_the_readout() -> None:
    net, images = network(beta=0.9), small.draw(20, 9)[0]
    logits = collect_readouts(adopted(net, readout="membrane").model(), [images], keep_logits=True).logits
    torch.testing.assert_close(logits, run(net, images)[1], rtol=1e-5, atol=1e-5)


class Explicit(nn.Module):
    """The membranes go in and out, as in the library's tutorials, without its loop over time."""

    def __init__(self) -> None:
        super().__init__()
        self.inward, self.first = nn.Linear(64, 20), snn.Leaky(beta=0.9)
        self.head, self.last = nn.Linear(20, 3), snn.Leaky(beta=0.8, reset_mechanism="zero")

    def step(self, image: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        first, last = (self.first.init_leaky(), self.last.init_leaky()) if state is None else state
        spikes, first = self.first(self.inward(image.flatten(1)), first)
        spikes, last = self.last(self.head(spikes), last)
        return spikes, (first, last)


def test_a_network_that_takes_and_returns_its_membranes() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        net = Explicit().eval()
    images, state, outputs = small.draw(40, 9)[0], None, []
    with torch.no_grad():
        for _ in range(TIMESTEPS):
            spikes, state = net.step(images, state)
            outputs.append(spikes)
    logits = collect_readouts(adopted(net).model(), [images], keep_logits=True).logits
    torch.testing.assert_close(
        logits, torch.stack(outputs).cumsum(0) / torch.arange(1, TIMESTEPS + 1).reshape(-1, 1, 1)
    )


@pytest.mark.parametrize(("made", "words"), [
    (lambda: snn.Synaptic(alpha=0.9, beta=0.8, init_hidden=True), "is a Synaptic, whose law is not known"),
    (lambda: snn.Leaky(beta=0.9, init_hidden=True, graded_spikes_factor=2.0), "graded_spikes_factor is set"),
    (lambda: snn.Leaky(beta=0.9, init_hidden=True, threshold=-1.0), "firing threshold that is not positive"),
    (lambda: snn.Leaky(beta=0.9), "take and return their membrane"),
])  # fmt: skip
def test_what_is_not_known_is_refused(made: Any, words: str) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), made()).eval()
    with pytest.raises(InputError, match=words):
        adopted(net)
