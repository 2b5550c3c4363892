"""Our verdicts for Akida against the vendor's own: what its engine maps on a virtual device, in hardware alone."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import seenn_convert as sc

pytestmark = pytest.mark.skipif(find_spec("akida") is None, reason="akida is not installed")

SHAPE = (3, 16, 16)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int | None = None) -> list[nn.Module]:
    padding = (kernel - 1) // 2 if padding is None else padding
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding), nn.ReLU()]


def chain(*layers: list[nn.Module], head: bool = True, shape: tuple[int, int, int] = SHAPE) -> nn.Sequential:
    """A network of these layers, with a linear layer behind it."""
    body = nn.Sequential(*(layer for part in layers for layer in part))
    with torch.no_grad():
        features = body.eval()(torch.zeros(1, *shape)).numel()
    return nn.Sequential(*body, *([nn.Flatten(), nn.Linear(features, 10)] if head else []))


POOL = [nn.MaxPool2d(2)]
WIDE, ODD = (3, 8, 257), (2, 16, 16)
CASES: dict[str, tuple[Callable[[], nn.Sequential], tuple[int, int, int], bool, bool]] = {
    # name: network, image, whether Akida 1.0 and 2.0 take it, by the tables of their guides
    "a chain": (lambda: chain(conv(3, 8), POOL, conv(8, 8), POOL, conv(8, 8)), SHAPE, True, True),
    "a kernel of 5": (lambda: chain(conv(3, 8), POOL, conv(8, 8, 5), POOL, conv(8, 8)), SHAPE, True, True),
    "a kernel of 9": (lambda: chain(conv(3, 8), POOL, conv(8, 8, 9), POOL, conv(8, 8)), SHAPE, False, False),
    "two channels": (lambda: chain(conv(2, 8), POOL, conv(8, 8), shape=ODD), ODD, False, False),
    "pooling before a linear layer": (lambda: chain(conv(3, 8), POOL, conv(8, 8), POOL), SHAPE, False, False),
    "4,096 inputs": (lambda: chain(conv(3, 8), conv(8, 16)), SHAPE, True, False),
    "200 filters": (lambda: chain(conv(3, 200), POOL, conv(200, 8)), SHAPE, False, True),
    "257 columns": (lambda: chain(conv(3, 2), POOL, conv(2, 2), shape=WIDE), WIDE, False, True),
    "pooling by 3 in front": (lambda: chain(conv(3, 8), [nn.MaxPool2d(3, 2)], conv(8, 8)), SHAPE, False, True),
    "pooling by 3": (lambda: chain(conv(3, 8), POOL, conv(8, 8), [nn.MaxPool2d(3, 2)], conv(8, 8)), SHAPE, False, False),
    "no padding": (lambda: chain(conv(3, 8), POOL, conv(8, 8, padding=0)), SHAPE, False, False),
    "no padding in front": (lambda: chain(conv(3, 8, padding=0), POOL, conv(8, 8)), SHAPE, True, True),
    "stride 4": (lambda: chain(conv(3, 8, 3, 4, 0), conv(8, 8)), (3, 15, 15), False, False),
    "a first kernel of 4": (lambda: chain(conv(3, 8, 4, 2, 1), conv(8, 8)), SHAPE, False, True),
    "global average": (lambda: chain(conv(3, 8), POOL, conv(8, 8), [nn.AdaptiveAvgPool2d(1)]), SHAPE, True, True),
    "too large an average": (lambda: chain(conv(3, 8), conv(8, 8), [nn.AdaptiveAvgPool2d(1)]), SHAPE, True, False),
}


def built(layers: nn.Sequential, shape: tuple[int, int, int], version: int) -> Any:
    """Return the network as layers of Akida, with some weights: those that are all zero are not mapped."""
    import akida

    model, parts = akida.Model(), list(layers)
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    for at, part in enumerate(parts):
        if isinstance(part, nn.Conv2d):
            behind = next((one for one in parts[at + 2 : at + 3] if isinstance(one, (nn.MaxPool2d, nn.AdaptiveAvgPool2d))), None)
            model.add(_convolution(akida, part, behind, shape if at == 0 else None, version))
        elif isinstance(part, nn.Linear):
            options = {"weights_bits": 4, "activation": False} if version == 1 else {"activation": akida.ActivationType.NoActivation}
            kind = akida.FullyConnected if version == 1 else akida.Dense1D
            model.add(kind(units=part.out_features, **options))
    assert linear
    for layer in model.layers:
        weights = layer.get_variable("weights")
        weights[...] = np.random.default_rng(0).integers(-1, 2, weights.shape)
        layer.set_variable("weights", weights)
    return model


def _convolution(akida: Any, layer: nn.Conv2d, behind: nn.Module | None, image: Any, version: int) -> Any:
    valid = layer.padding == (0, 0) and layer.kernel_size != (1, 1)
    padding = akida.Padding.Valid if valid else akida.Padding.Same
    pools = {nn.MaxPool2d: akida.PoolType.Max, nn.AdaptiveAvgPool2d: akida.PoolType.Average}
    options: dict[str, Any] = {"filters": layer.out_channels, "padding": padding}
    if behind is not None:
        options["pool_type"] = pools[type(behind)]
    window = {"pool_size": behind.kernel_size, "pool_stride": behind.stride} if isinstance(behind, nn.MaxPool2d) else {}
    if image is not None:
        options["input_shape"] = (image[1], image[2], image[0])
    if version == 2:
        kind = akida.InputConv2D if image is not None else akida.Conv2D
        return kind(kernel_size=layer.kernel_size[0], kernel_stride=layer.stride[0], **options, **window)
    kind = akida.InputConvolutional if image is not None else akida.Convolutional
    pairs = {name: (value, value) for name, value in window.items()}
    sizes = {"kernel_size": layer.kernel_size, "kernel_stride": layer.stride}
    return kind(weights_bits=4, act_bits=4, **sizes, **options, **pairs)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_akida_maps_what_we_accept_and_nothing_else(name: str, version: int) -> None:
    import akida

    make, shape, *expected = CASES[name]
    network = make().eval()
    assert sc.check(network, f"akida{version}", input_shape=shape).fits == expected[version - 1]
    try:
        device = akida.AKD1000() if version == 1 else akida.TwelveNodesIPv2()
        built(network, shape, version).map(device, hw_only=True)
        maps = True
    except (RuntimeError, ValueError):
        maps = False
    assert maps == expected[version - 1]


def test_a_symmetric_padding_at_stride_2_is_that_of_akida_2_alone() -> None:
    """With a kernel whose middle tap is 1, output (0, 0) is the pixel that it is centred on: (0, 0) in PyTorch."""
    import akida

    image = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    kernel = nn.Conv2d(1, 1, 3, 2, 1, bias=False)
    nn.init.dirac_(kernel.weight)
    wanted = kernel(torch.from_numpy(image).permute(0, 3, 1, 2).float())[0, 0].tolist()
    found = {}
    for padding in (akida.Padding.Same, akida.Padding.SameUpper):
        model = akida.Model()
        model.add(
            akida.InputConv2D(
                input_shape=(8, 8, 1), filters=1, kernel_size=3, kernel_stride=2, padding=padding,
                activation=akida.ActivationType.NoActivation,
            )
        )  # fmt: skip
        weights = np.zeros((3, 3, 1, 1), dtype=np.int8)
        weights[1, 1] = 1
        model.layers[0].set_variable("weights", weights)
        found[padding] = model.forward(image)[0, :, :, 0].tolist()
    assert found[akida.Padding.SameUpper] == wanted != found[akida.Padding.Same]
