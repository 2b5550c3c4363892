"""Max pooling behind a per-channel function that rises is driven by spikes, and the network tends to its ANN."""

from collections.abc import Callable

import harness
import pytest
import torch
from torch import nn

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.neurons.types import Tracking

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

CHANNELS = 8


def keras(*behind: Callable[[], nn.Module]) -> nn.Module:
    """Return convolutions, each with the calls made by ``behind`` and max pooling."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, CHANNELS, 3, padding=1), *(one() for one in behind), nn.MaxPool2d(2),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), *(one() for one in behind), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), *(one() for one in behind), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(CHANNELS, 10),
    )  # fmt: skip
    model.input_shape = (1, 8, 8)
    return model.eval()


def batch_norm(falling: bool = False) -> nn.Module:
    """Return a batch norm that has seen data; where ``falling``, every other channel's scale is below 0."""
    one = nn.BatchNorm2d(CHANNELS)
    with torch.no_grad():
        one.weight.uniform_(0.5, 1.5)
        one.bias.uniform_(-0.5, 0.5)
        one.running_mean.uniform_(-0.5, 0.5)
        one.running_var.uniform_(0.5, 1.5)
        if falling:
            one.weight[::2] *= -1
    return one


def slopes() -> nn.Module:
    one = nn.PReLU(CHANNELS)
    nn.init.uniform_(one.weight, 0.0, 0.5)
    return one


BEHIND = {
    "relu": (nn.ReLU,),
    "relu, batch norm": (nn.ReLU, batch_norm),
    "relu, falling batch norm": (nn.ReLU, lambda: batch_norm(falling=True)),
    "relu6, batch norm": (nn.ReLU6, batch_norm),
    "leaky": (lambda: nn.LeakyReLU(0.1),),
    "leaky, batch norm": (lambda: nn.LeakyReLU(0.1), lambda: batch_norm(falling=True)),
    "prelu": (nn.PReLU,),
    "prelu, batch norm, dropout": (slopes, batch_norm, nn.Dropout),
    "relu, batch norm, relu": (nn.ReLU, batch_norm, nn.ReLU),
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_spikes_drive_all_but_the_first_layer(behind: tuple[Callable[[], nn.Module], ...]) -> None:
    """The first layer reads the image; what it costs is its share of the multiply-accumulates."""
    sites = call_sites(harness.ann_program(keras(*behind)))

    assert all(site.driven_by in ("", "spikes", "image") for site in sites)
    assert spiking_share(sites) == pytest.approx(1 - sum(site.share for site in sites if site.driven_by == "image"))
    assert spiking_share(sites) > 0.6


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_the_network_tends_to_its_ann(behind: tuple[Callable[[], nn.Module], ...]) -> None:
    """The error of tracking neurons falls like one over timesteps times levels."""
    program = harness.as_program(keras(*behind))
    images, snn = harness.images(program), harness.spiking_program(program, Tracking(64))
    wanted, total = program(images), torch.zeros(())
    for step in harness.timesteps(snn, images, 64):
        total = total + step.results[0]

    harness.assert_same(total / 64, wanted, 5e-3)
