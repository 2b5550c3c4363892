"""Toy networks converted with each type of neurons."""

from functools import cache

import small_artifacts as small
import torch
import toys

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

T = 4

NETWORKS = [
    ("residual", "signed", {}), ("residual", "if", {"skips": "spiking"}), ("clipped", "multilevel", {}),
    ("residual", "multilevel-unsigned", {}), ("clipped", "tracking", {}), ("pool_between_neurons", "group", {}),
    ("tokens", "signed", {}), ("residual", "multilevel", {"skips": "spiking"}),
]  # fmt: skip


@cache
def converted(network: str, neuron: str, skips: str) -> Artifact:
    toy = getattr(toys, network)()
    pixels = torch.rand(48, *toy.input_shape, generator=torch.Generator().manual_seed(5))
    options = Options(timesteps=T, neuron=neuron, skips=skips, front="none", calibration="fast")  # type: ignore[arg-type]
    return convert(toy, small.as_dataset(pixels, None), options)
