"""A small trained classifier, its data, and what the package makes of it, each built once for all tests."""

from functools import cache

import torch
from calibrating import calibrate
from torch import Tensor, nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.schema.report import Report
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.rules import MaxRule
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.sources import ImageSource
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.source import Source
from seenn_convert.ir.program import Program
from seenn_convert.ir.scores import score_named
from seenn_convert.neurons.types import NEURON_TYPES
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, probe_pass, spiking_passes
from seenn_convert.runtime.policies import ExitPolicy, ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

torch.set_num_threads(1)

SHAPE, CLASSES = (1, 8, 8), 3
THRESHOLDS = (0.97, 0.9, 0.96, 0.9, 0.85)


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return noisy bars ``(N, 1, 8, 8)`` at one of three places, and the place ``(N,)``; some are hard to tell."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    pixels = 0.8 * torch.randn(count, *SHAPE, generator=generator)
    for row, label in enumerate(labels.tolist()):
        pixels[row, :, 2 * label + 1 : 2 * label + 3] += 0.4 + 0.8 * torch.rand(1, generator=generator)
    return pixels, labels


def dataset(count: int = 96, seed: int = 1, labelled: bool = True) -> Dataset:
    """Return ``count`` images as a data set."""
    pixels, labels = draw(count, seed)
    return as_dataset(pixels, labels if labelled else None)


def as_dataset(pixels: Tensor, labels: Tensor | None, name: str = "bars.npz") -> Dataset:
    """Return images that are in memory as a data set."""
    return Dataset(ImageSource(name, pixels, labels), Preprocessing(), range(len(pixels)), tuple(pixels.shape[1:]))


class SmallNet(nn.Module):
    """Convolutions with batch norm, a reused ReLU, a residual sum, and a pooling that time goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.conv2 = nn.Conv2d(5, 5, 3, padding=1)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
        self.head = nn.Linear(20, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.pool(self.relu(self.norm1(self.conv1(x))))
        return self.head(self.pool(x + self.relu(self.conv2(x))).flatten(1))


@cache
def trained_net() -> SmallNet:
    """Return the classifier, trained for a second."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        net, (pixels, labels) = SmallNet(), draw(256, 0)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for step in range(80):
            part = slice(64 * (step % 4), 64 * (step % 4) + 64)
            loss = nn.functional.cross_entropy(net(pixels[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


@cache
def source() -> Source:
    """Return the classifier as it is read: what ``convert`` makes of the module first, each time."""
    return read_model(trained_net(), SHAPE)


@cache
def ann_program() -> Program:
    """Return the classifier after the passes of stage ANN."""
    return run_passes(source().program, ANN_PASSES)


@cache
def calibration() -> Calibration:
    """Return thresholds: the maxima."""
    return calibrate(ann_program(), [draw(96, 1)[0]], MaxRule())


@cache
def spiking_program(neuron: str = "signed") -> Program:
    """Return the spiking program without a probe."""
    return run_passes(ann_program(), spiking_passes(ann_program(), calibration().v_thresholds(), NEURON_TYPES[neuron]))


def model(
    timesteps: int = 8, policy: ExitPolicy = ThresholdPolicy("confidence", THRESHOLDS), neuron: str = "signed"
) -> SpikingModel:
    """Return a spiking model with a probe of the score that ``policy`` reads; copy it before you change its neurons."""
    temperatures = torch.linspace(2.0, 1.0, timesteps)
    probe = probe_pass(ann_program(), score_named(policy.score_name or "confidence"), temperatures)
    probed = run_passes(spiking_program(neuron), [probe])
    return SpikingModel(probed, timesteps, policy)


@cache
def artifact() -> Artifact:
    """Return the classifier converted with default options and eight timesteps."""
    return convert(trained_net(), dataset(), Options(timesteps=8, batch_size=32))


def warnings(report: Report) -> str:
    """Return the warnings of a conversion, one a line."""
    return "\n".join(one.text for one in report.conversion.warnings)
