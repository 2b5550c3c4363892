"""Classifiers that return (N, K, 1, 1) are read: a module, and the SqueezeNet that the onnx package ships."""

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

import seenn_convert as sc
from seenn_convert.frontend.load import read_model

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def test_a_module_that_pools_at_its_end_is_converted() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 10, 1), nn.AdaptiveAvgPool2d(1)).eval()
    images = torch.randn(40, 3, 16, 16)

    artifact = sc.convert(network, images, sc.Options(timesteps=4, calibration="fast"))

    with torch.no_grad():
        assert torch.equal(artifact.ann(images).argmax(1), network(images).flatten(1).argmax(1))
    assert artifact.report.model.classes == 10
    assert artifact.report.model.notes == (
        "the model returns (batch, 10, 1, 1): it is read as (batch, 10), without axes of size 1",
    )


@pytest.mark.skipif(not (LIGHT / "light_squeezenet.onnx").exists(), reason="onnx ships no model files here")
def test_squeezenet_of_the_model_zoo_is_read() -> None:
    """Its softmax is over 1000 classes of shape (N, 1000, 1, 1)."""
    source = read_model(LIGHT / "light_squeezenet.onnx")

    assert len(source.notes) == 2
    with torch.no_grad():
        assert source.program(torch.zeros(2, *source.program.input_shape)).shape == (2, 1000)
