"""Layers on cores: the memory they take, a largest matching, and who competes where there is none."""

import itertools
import random

import pytest
from chip_networks import fit

from seenn_convert.exporters.check.cores import assign, memory_of
from seenn_convert.exporters.check.target import Cores
from seenn_convert.exporters.check.view import CONVOLUTION, Site


def layer(name: str, inputs: int, outputs: int, kernel: int, size: int) -> Site:
    facts = {"input_channels": inputs, "output_channels": outputs, "kernel": (kernel, kernel), "output_size": (size, size), "bias": True}
    return Site(name, "Conv2d", CONVOLUTION, "", 0, 0.0, facts=facts)


def test_memory_of_the_example_in_the_manual() -> None:
    """16 to 32 channels, 3 x 3, 64 x 64: 16 * 2**(4 + 5) = 8 Ki kernel entries, 32 * 2**(6 + 6) = 128 Ki neurons."""
    memory = memory_of(layer("x", 16, 32, 3, 64).facts)
    assert memory is not None and (memory.kernel, memory.neuron, memory.bias) == (8 * 1024, 128 * 1024, 32)


def test_memory_and_cores_of_the_five_layers() -> None:
    """By hand: c * 2**(ceil(log2 of k * k) + ceil(log2 f)), f * 2**(2 * ceil(log2 of the size)), f."""
    expected = [
        (1 * 2**7, 8 * 2**10, 8),
        (8 * 2**8, 16 * 2**8, 16),
        (16 * 2**9, 32 * 2**6, 32),
        (32 * 2**10, 64, 64),  # the linear layer behind 32 maps of 4 x 4
        (64 * 2**4, 10, 10),
    ]
    loads = fit("five", "speck2f").cores
    assert [(load.kernel, load.neuron, load.bias) for load in loads] == expected
    assert loads[3].cores == (3, 4, 5, 6)  # 32 Ki of kernel
    assert len({load.core for load in loads}) == 5 and all(load.core in load.cores for load in loads)


def test_who_competes_in_a_residual_network() -> None:
    """Five convolutions of 64 to 64 channels take 64 Ki of kernel, which cores 5 and 6 have; 22 layers are too many."""
    found = fit("resnet", "speck2f")
    assert [(len(one.layers), one.cores) for one in found.competitions] == [(5, (5, 6)), (22, tuple(range(9)))]
    assert sum(load.core is None for load in found.cores) == 22 - 9


@pytest.mark.parametrize("seed", range(25))
def test_the_matching_is_a_largest_one(seed: int) -> None:
    draw = random.Random(seed)
    cores = Cores(*(tuple(draw.choice((64, 128, 256)) for _ in range(4)) for _ in range(3)), source="x")
    layers = [layer(f"layer{i}", draw.choice((1, 4, 8)), draw.choice((4, 8, 16)), 2, draw.choice((1, 2, 4))) for i in range(draw.randint(1, 6))]
    loads, competitions = assign(layers, cores)
    fits = {load.layer: set(load.cores) for load in loads}
    placed = {load.layer: load.core for load in loads if load.core is not None}

    largest = max(
        sum(core in fits.get(name, ()) for core, name in enumerate(order))
        for order in itertools.permutations([*fits, *["nobody"] * 4], 4)
    )
    assert len(placed) == largest == len(set(placed.values()))
    assert all(core in fits[name] for name, core in placed.items())
    for one in competitions:
        assert len(one.layers) > len(one.cores)
        assert set().union(*(fits[name] for name in one.layers)) == set(one.cores)
    assert {name for name in fits if name not in placed and fits[name]} <= {name for one in competitions for name in one.layers}
