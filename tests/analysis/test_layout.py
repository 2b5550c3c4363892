"""The channels of an input are the axis that the first convolution takes for them."""

import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.analysis.layout import layout_notes, layout_of
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program


def program_of(shape: tuple[int, ...], before: str) -> Program:
    """Return a network of one convolution over ``shape``, with ``before`` in front of it."""
    calls = {
        "nothing": lambda x: x,
        "transpose": lambda x: x.permute(0, 3, 1, 2),
        "scaled transpose": lambda x: F.pad((torch.tanh(x) - 0.5) / 2, (0, 0, 1, 1)).permute(0, 3, 1, 2),
        "two transposes": lambda x: x.transpose(1, 3).transpose(2, 3),
        "reshape": lambda x: x.reshape(-1, 1, *shape[:2]),
        "back": lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    }
    image = torch.zeros(1, *shape)
    channels = calls[before](image).shape[1]

    def body(m: nn.Module, x: Tensor) -> Tensor:
        return torch.relu(m.conv(calls[before](x))).mean((2, 3))  # type: ignore[operator]

    return from_torch(toys.toy(body, shape, conv=nn.Conv2d(channels, 2, 1)), shape)


@pytest.mark.parametrize(
    ("shape", "before", "layout"),
    [
        ((3, 8, 8), "nothing", "channels_first"),
        ((8, 8, 3), "transpose", "channels_last"),
        ((8, 8, 3), "scaled transpose", "channels_last"),
        ((8, 8, 3), "two transposes", "channels_last"),
        ((3, 8, 3), "transpose", "channels_last"),
        ((3, 8, 3), "nothing", "channels_first"),
        ((32, 8, 3), "nothing", "channels_first"),
        ((8, 8, 5), "transpose", "channels_last"),
        ((8, 8, 1), "reshape", "channels_last"),
        ((3, 8, 8), "back", "channels_first"),
    ],
)
def test_the_first_convolution_says_which_axis_is_the_channels(
    shape: tuple[int, ...], before: str, layout: str
) -> None:
    found = program_of(shape, before)

    assert layout_of(found) == layout
    assert len(layout_notes(found)) == (layout == "channels_last")


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((8, 8, 3), "channels_last"), ((3, 8, 8), "channels_first"), ((1, 8, 1), "channels_first"),
        ((8, 8, 8), "channels_first"), ((8, 8), "no_channels"), ((64,), "flat"), ((1, 4, 8, 8), "channels_first"),
    ],
)  # fmt: skip
def test_a_perceptron_is_judged_by_the_shape(shape: tuple[int, ...], layout: str) -> None:
    size = int(torch.Size(shape).numel())
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.ReLU(), nn.Linear(4, 2)).eval()

    assert layout_of(from_torch(net, shape)) == layout
