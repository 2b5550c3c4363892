"""A clamp that never clips costs no accuracy, wherever its bounds are: the network answers as it does without it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seenn_convert as sc

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

INFINITE = math.inf
IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(60, 3, 8, 8)).astype("float32"))
OPTIONS = sc.Options(timesteps=8, calibration="fast", target=sc.ExitTarget(timesteps=8.0))


class Guard(nn.Module):
    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low, self.high)


def network(guard: Callable[[], nn.Module], place: str) -> nn.Module:
    torch.manual_seed(0)
    layers = {"conv": nn.Conv2d(3, 8, 3), "relu": nn.ReLU(), "flat": nn.Flatten(), "hidden": nn.Linear(288, 5)}
    found = nn.Sequential()
    for name, layer in layers.items():
        found.add_module(name, layer)
        if name == place:
            found.add_module("guard", guard())
    return found.eval().requires_grad_(False)


def answered(model: nn.Module) -> tuple[Tensor, sc.Artifact]:
    artifact = sc.convert(model, IMAGES, OPTIONS)
    return artifact.model()(IMAGES).logits, artifact


@pytest.mark.parametrize("place", ["conv", "relu", "hidden"])
@pytest.mark.parametrize(
    ("low", "high"),
    [(-10, 10), (-100, 100), (-65504, 65504), (-INFINITE, 10.0), (-9.0, INFINITE), (-3.4e38, 3.4e38),
     (-INFINITE, INFINITE)],
)  # fmt: skip
def test_the_network_answers_as_without_it(place: str, low: float, high: float) -> None:
    without, _ = answered(network(nn.Identity, place))
    with_it, artifact = answered(network(lambda: Guard(low, high), place))

    torch.testing.assert_close(with_it, without, rtol=1e-5, atol=1e-5)
    assert artifact.report.model is not None
    assert len(artifact.report.model.notes) == (place == "hidden" and (low, high) == (-10, 10))


def test_a_released_clamp_still_clips_what_comes_later() -> None:
    """Images far from the calibration images reach the bound, where the network tends to its ANN all the same."""
    model = network(lambda: Guard(-10, 10), "hidden")
    artifact = sc.convert(model, IMAGES, OPTIONS)
    far = 100 * IMAGES
    wanted = model(far)

    assert float(wanted.abs().max()) == 10
    torch.testing.assert_close(artifact.ann(far), wanted, rtol=1e-5, atol=1e-4)
    assert "clamp" in [site.operator for site in artifact.report.conversion.operators]


def test_an_activation_that_clips_keeps_its_neurons() -> None:
    artifact = sc.convert(network(lambda: nn.Hardtanh(), "conv"), 3 * IMAGES, OPTIONS)
    model = network(lambda: nn.Hardtanh(), "hidden")
    spiking = sc.convert(model, 3 * IMAGES, OPTIONS)

    assert [site.operator for site in artifact.report.conversion.operators if site.treatment == "spiking"]
    assert [site.treatment for site in spiking.report.conversion.operators].count("spiking") == 2
