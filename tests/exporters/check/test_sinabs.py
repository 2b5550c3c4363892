"""Our verdicts for Speck against sinabs' own: its compilation of a network, its memory formula, its mapping to cores.

Chip configurations are validated by samna, whose package on PyPI only fetches a program from elsewhere. Where it is not
installed, empty modules stand in for it, and everything of sinabs up to the mapping runs as it is.
"""

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
import torch
from chip_networks import fit, five
from torch import nn

import seenn_convert as sc
from seenn_convert.exporters.check.target import read_target

pytestmark = pytest.mark.skipif(find_spec("sinabs") is None, reason="sinabs is not installed")

STANDING_IN = ("samna", "samnagui", *(f"samna.speck2{letter}{part}" for letter in "ef" for part in ("", ".configuration")))


class Nothing:
    """Any name of samna: type annotations ask for some when sinabs is imported."""

    def __getattr__(self, name: str) -> "Nothing":
        return Nothing()


@pytest.fixture(scope="module", autouse=True)
def samna() -> Iterator[None]:
    """Stand in for samna, unless the real one has been imported."""
    missing = [name for name in STANDING_IN if name not in sys.modules]
    for name in missing:
        module: Any = ModuleType(name)
        module.__path__, module.SpeckConfiguration, module.device = [], Nothing, Nothing()
        sys.modules[name] = module
    yield
    for name in missing:
        del sys.modules[name]


def spiking(layers: nn.Sequential) -> nn.Sequential:
    """The network as sinabs takes it: spiking layers in place of activations, and one behind the last layer."""
    import sinabs.layers as sl

    turned = [sl.IAFSqueeze(batch_size=1) if isinstance(layer, nn.ReLU) else layer for layer in layers]
    return nn.Sequential(*turned, sl.IAFSqueeze(batch_size=1))


def compiled(layers: nn.Sequential, shape: tuple[int, int, int]) -> Any:
    from sinabs.backend.dynapcnn import DynapcnnNetwork

    torch.manual_seed(0)
    return DynapcnnNetwork(spiking(layers), input_shape=shape, batch_size=1, discretize=False)


def cores_of(network: Any) -> dict[int, int]:
    """Return the cores that sinabs gives to the layers of a network; raises ValueError if there is no way."""
    from sinabs.backend.dynapcnn.chips.dynapcnn import DynapcnnConfigBuilder

    return dict(DynapcnnConfigBuilder.map_layers_to_cores(network.dynapcnn_layers))


def wide() -> nn.Sequential:
    """The second convolution takes 64 Ki of kernel and 64 Ki of neurons, which no core has; the linear layer fits."""
    first, second = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
    return nn.Sequential(
        first, nn.ReLU(), second, nn.ReLU(), nn.AvgPool2d(4), nn.Conv2d(64, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )


def three_rivals() -> nn.Sequential:
    """Three layers of 64 Ki of kernel: each fits cores 5 and 6, which are two."""
    wide = [layer for _ in range(3) for layer in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())]
    return nn.Sequential(nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), *wide, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(256, 3))


def test_limits_are_those_of_sinabs() -> None:
    from sinabs.backend.dynapcnn.chips.dynapcnn import DynapcnnConfigBuilder

    for name in ("speck2f", "speck2e"):
        cores = read_target(name)[1].cores
        assert cores is not None
        listed = [(one.kernel_memory, one.neuron_memory, one.bias_memory) for one in DynapcnnConfigBuilder.get_constraints()]
        assert listed == list(zip(cores.kernel, cores.neuron, cores.bias, strict=True))


def test_what_we_accept_sinabs_compiles_with_the_same_memory() -> None:
    network, ours = compiled(five(), (1, 32, 32)), fit("five", "speck2f")
    assert ours.fits and len(cores_of(network)) == 5
    theirs = [layer.memory_summary() for _, layer in sorted(network.dynapcnn_layers.items())]
    assert [(load.kernel, load.neuron, load.bias) for load in ours.cores] == [(one["kernel"], one["neuron"], one["bias"]) for one in theirs]


@pytest.mark.parametrize(("make", "shape", "rivals"), [(wide, (3, 32, 32), 0), (three_rivals, (1, 8, 8), 3)])
def test_what_has_no_cores_has_none_for_sinabs(make: Any, shape: tuple[int, int, int], rivals: int) -> None:
    ours = sc.check(make().eval(), "speck2f", input_shape=shape)
    assert [rule for site in ours.sites for finding in site.findings if (rule := finding.rule) == "cores"] == ["cores"]
    assert [len(one.layers) for one in ours.competitions] == [rivals] * bool(rivals)
    with pytest.raises(ValueError, match="No valid mapping found"):
        cores_of(compiled(make(), shape))


def test_a_kernel_that_is_not_square() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, (3, 5), padding=(1, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 8 * 8, 3))
    ours = sc.check(layers.eval(), "speck2f", input_shape=(1, 8, 8))
    assert {finding.rule for site in ours.refused for finding in site.findings if finding.weight == "refused"} == {"square-kernel"}
    with pytest.raises(ValueError, match="same height and width"):
        compiled(layers, (1, 8, 8))
