"""Activations, logits and images of any finite size give a correct result in finite numbers, or one sentence."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.schema.coding import to_plain
from seenn_convert.calibration.output_error import WORST, overall, relative_distance, relative_length
from seenn_convert.errors import InputError

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not


class Scaled(nn.Module):
    """A trained network whose activations and logits have another size, or one class of which is masked."""

    def __init__(self, inside: float = 1.0, outside: float = 1.0, masked: float | None = None) -> None:
        super().__init__()
        self.net, self.inside, self.outside = small.trained_net(), inside, outside
        self.register_buffer("mask", None if masked is None else torch.tensor([0.0, 0.0, masked]))

    def forward(self, x: Tensor) -> Tensor:
        net = self.net
        hidden = torch.relu(nn.functional.max_pool2d(self.inside * net.norm1(net.conv1(x)), 2))
        logits = self.outside * torch.cat([hidden.mean(dim=(2, 3)), hidden.amax(dim=(2, 3))], dim=1)[:, :3]
        return logits if self.mask is None else logits + self.mask


@pytest.mark.parametrize("neuron", ["tracking", "multilevel"])
@pytest.mark.parametrize(
    "model",
    [
        lambda: Scaled(inside=1e20),
        lambda: Scaled(inside=1e20, outside=1e-20),
        lambda: Scaled(outside=3e19),
        lambda: Scaled(outside=1e36),
        lambda: Scaled(masked=-1e30),
        lambda: Scaled(masked=torch.finfo(torch.float32).min),
    ],
)
def test_the_answers_are_those_of_the_network(model: Callable[[], nn.Module], neuron: str) -> None:
    network, images = model().eval(), small.draw(120, 5)[0]
    with torch.no_grad():
        answers = network(images).argmax(dim=1)
    artifact = sc.convert(network, images, sc.Options(timesteps=8, neuron=neuron, target=sc.ExitTarget(timesteps=8)))
    evaluation = sc.evaluate(artifact, (images, answers))

    assert evaluation.accuracy_at[8] > (0.95 if neuron == "tracking" else 0.8)
    json_text(to_plain(evaluation)), json_text(to_plain(artifact.report))  # no NaN and no infinity


@pytest.mark.parametrize("size", [1e10, 1e25, 1e37])
def test_an_evaluation_of_huge_images_ends_in_finite_numbers_or_names_one(size: float) -> None:
    images, labels = small.draw(40, 5)
    try:
        evaluation = sc.evaluate(small.artifact(), (size * images, labels))
    except InputError as refusal:
        assert str(refusal).startswith("image ")
    else:
        json_text(to_plain(evaluation))


def test_a_constant_class_hides_no_error_of_the_others() -> None:
    wanted, found = torch.tensor([[1.0, 2.0], [2.0, 1.0]]), torch.tensor([[1.5, 2.0], [2.0, 1.0]])
    masked = torch.full((2, 1), -1e30)

    assert relative_distance(torch.cat([found, masked], 1), torch.cat([wanted, masked], 1)) == relative_distance(
        found, wanted
    )
    assert relative_distance(masked, 2 * masked) == pytest.approx(0.5)


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e11, 1e20, 1e37])
def test_a_relative_length_does_not_depend_on_the_size(size: float) -> None:
    error, wanted = torch.tensor([3.0, 4.0]) * size, torch.tensor([0.0, 2.0]) * size

    assert relative_length(error, wanted) == pytest.approx(2.5 if size > 1e-12 else 5e12 * size)


@pytest.mark.parametrize("found", [math.nan, math.inf])
def test_the_worst_error_is_a_number(found: Any) -> None:
    assert relative_distance(torch.tensor([[found, 1.0]]), torch.tensor([[1.0, 1.0]])) == WORST
    assert math.isfinite(overall([WORST, WORST, WORST]))
