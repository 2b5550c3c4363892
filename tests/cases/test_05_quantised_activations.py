"""Quantised activations are neurons of their own threshold; at as many timesteps as levels the networks are equal."""

from collections.abc import Callable

import numpy as np
import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

LEVELS, THRESHOLD = 4, 0.75


class Activation(nn.Module):
    """An activation of ``x`` with the trained threshold ``a``."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.a = function, nn.Parameter(torch.tensor(THRESHOLD))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, self.a)


def floor_of_clip(x: Tensor, a: Tensor) -> Tensor:
    return torch.floor(torch.clamp(x / a, 0, 1) * LEVELS + 0.5) / LEVELS * a


def straight_through(x: Tensor, a: Tensor) -> Tensor:
    y = torch.clamp(x / a, 0, 1) * LEVELS
    return (y + (y.round() - y).detach()) / LEVELS * a


def fake_quantised(x: Tensor, a: Tensor) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(torch.relu(x), THRESHOLD / LEVELS, 0, 0, LEVELS)


QUANTISED = (floor_of_clip, straight_through, fake_quantised)


def network(function: Callable[[Tensor, Tensor], Tensor], hidden: int) -> nn.Module:
    """Return a network with ``hidden`` layers of activations, on the images of ``small_artifacts``."""
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(64, 24), Activation(function)]
    for _ in range(hidden - 1):
        layers += [nn.Linear(24, 24), Activation(function)]
    return nn.Sequential(*layers, nn.Linear(24, small.CLASSES)).eval()


def converted(model: nn.Module, timesteps: int = LEVELS, **options: object) -> Artifact:
    return convert(model, small.dataset(60), Options(timesteps=timesteps, calibration="fast", **options))


def error(artifact: Artifact, model: nn.Module) -> float:
    """Return the largest difference of the logits after all timesteps, relative to the largest logit of the model."""
    images = small.draw(40, 2)[0]
    with torch.no_grad():
        logits = collect_readouts(artifact.model(), [images], keep_logits=True).logits[-1]
        wanted = model(images)
    return float((logits - wanted).abs().max() / wanted.abs().max())


@pytest.mark.parametrize("function", QUANTISED, ids=lambda one: one.__name__)
def test_the_threshold_is_the_networks_own(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    artifact = converted(network(function, 2))
    thresholds = [layer.v_threshold for layer in artifact.provenance.calibration.thresholds.layers.values()]

    assert len(thresholds) == 2
    assert all(np.allclose(one, THRESHOLD, rtol=1e-6) for one in thresholds)
    assert artifact.report.conversion.spiking_share > 0.2
    assert [site.operator for site in artifact.report.conversion.operators if site.treatment == "spiking"] == [
        "QuantisedReLU"
    ] * 2


@pytest.mark.parametrize("neuron", ["if", "signed"])
@pytest.mark.parametrize("function", QUANTISED, ids=lambda one: one.__name__)
def test_one_hidden_layer_is_exact_at_as_many_timesteps_as_levels(
    function: Callable[[Tensor, Tensor], Tensor], neuron: str
) -> None:
    """Constant current x gives ``clip(floor(T x / theta + 1/2), 0, T)`` spikes; no correction may add to that."""
    model = network(function, 1)
    assert error(converted(model, neuron=neuron), model) < 1e-5


def test_deep_tracking_neurons_of_one_level_are_exact() -> None:
    """Their emitted sum is always the rounded, clipped sum of their input, in whatever order it came."""
    model = network(floor_of_clip, 3)
    assert error(converted(model, neuron="tracking", neuron_levels=1, correction="none"), model) < 1e-5


def test_more_levels_than_the_run_tells_apart_are_calibrated() -> None:
    """A threshold far above all activations, as of eight bits, would leave few timesteps for each."""

    def eight_bits(x: Tensor, a: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(torch.relu(x), 100 * THRESHOLD / 255, 0, 0, 255)

    layers = converted(network(eight_bits, 1)).provenance.calibration.thresholds.layers.values()
    assert all(max(layer.v_threshold) < 10 * THRESHOLD for layer in layers)


CLIPPED = {
    "minimum of a ReLU": lambda x, a: torch.minimum(torch.relu(x), a),
    "difference of absolute values": lambda x, a: 0.5 * (x.abs() - (x - a).abs() + a),
    "clamp": lambda x, a: torch.clamp(x, 0, THRESHOLD),
}


@pytest.mark.parametrize("name", CLIPPED)
def test_clipped_activations_are_neurons_that_clip(name: str) -> None:
    sites = converted(network(CLIPPED[name], 2)).report.conversion.operators
    assert [site.operator for site in sites if site.treatment == "spiking"] == ["ClippedReLU"] * 2
    assert not any(site.treatment == "temporal-difference" for site in sites)
