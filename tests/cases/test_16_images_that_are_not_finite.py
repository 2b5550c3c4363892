"""An image with NaN or infinity, or one whose logits are, is refused by its number at every entrance."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.errors import InputError
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.spiking_model import SpikingModel

BAD = 61
VALUES = (math.inf, -math.inf, math.nan)
OPTIONS = sc.Options(timesteps=4, calibration="fast")


def images_with(value: float) -> tuple[Tensor, Tensor]:
    images, labels = small.draw(120, 5)
    images[BAD, 0, 3, 3] = value
    return images, labels


class Hidden(nn.Module):
    """A network that answers an infinite image with finite logits: a ReLU and a bound take it away."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 3, 3), nn.Linear(108, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.conv(x.clamp(-3, 3))).clamp(max=5).flatten(1))


class Stream(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """A data set that is not looked at as a whole before it is used."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "use",
    [sc.evaluate, sc.attach_policy, lambda a, data: sc.recalibrate(a, data, OPTIONS)],
)
def test_every_use_of_an_artifact(use: Callable[[sc.Artifact, Any], object], value: float) -> None:
    with pytest.raises(InputError, match=f"image {BAD}: .* is "):
        use(small.artifact(), Stream(*images_with(value)))


@pytest.mark.parametrize("value", VALUES)
def test_the_spiking_network(value: float) -> None:
    model, images = small.artifact().model(), images_with(value)[0]
    with pytest.raises(InputError, match=f"image {BAD} holds NaN or infinity"):
        model(images)
    with pytest.raises(InputError, match=f"image {BAD} holds NaN or infinity"):
        run_early_exit(model, images.split(25), capacity=10)


@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_the_network_hides(value: float) -> None:
    torch.manual_seed(0)
    artifact = sc.convert(Hidden().eval(), small.draw(60, 5)[0], OPTIONS)
    images = images_with(value)[0]

    assert math.isnan(value) or bool(artifact.ann(images).isfinite().all())
    with pytest.raises(InputError, match=f"image {BAD} holds NaN or infinity"):
        artifact.model()(images)


class Late(nn.Module):
    """A network that has no answer for some images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 3, 3), nn.Linear(108, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.conv(x)).flatten(1)) + torch.log(5 - x[:, :1, 0, 0])


@pytest.mark.parametrize("run", [lambda m, x: m(x), lambda m, x: run_early_exit(m, x.split(25), 10)])
def test_an_image_without_an_answer(run: Callable[[SpikingModel, Tensor], object]) -> None:
    images = small.draw(120, 5)[0].clamp(max=4)
    model = sc.convert(Late().eval(), images, OPTIONS).model()
    images[BAD, 0, 0, 0] = 6.0
    with pytest.raises(InputError, match=f"image {BAD}: the logits are NaN or infinite for it"):
        run(model, images)


@pytest.mark.parametrize("number", [20, 21, 60, 61, 62, 118, 119])
def test_a_calibration_image_without_an_answer_is_named(number: int) -> None:
    """Whichever part of the calibration set it belongs to, and whichever batch."""
    images = small.draw(120, 5)[0].clamp(max=4)
    images[number, 0, 0, 0] = 6.0
    with pytest.raises(InputError, match=rf"image {number}: the \w+('s|'s own) logits are NaN or infinite"):
        sc.convert(Late().eval(), images, OPTIONS)


def test_among_the_first_images_it_is_named_too() -> None:
    images = small.draw(120, 5)[0].clamp(max=4)
    images[3, 0, 0, 0] = 6.0
    with pytest.raises(InputError, match=r"Late: its logits are NaN or infinite.*\(first at image 3\)"):
        sc.convert(Late().eval(), images, OPTIONS)
