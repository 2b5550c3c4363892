"""Operators that jump at zero are named where neurons come before them, and nothing else is."""

from collections.abc import Callable

import pytest
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.analysis.jumps import jumps_at_zero
from seenn_convert.frontend.torch.read import from_torch

Act = Callable[[Tensor], Tensor]


def names(act: Act, neurons: bool = True) -> list[str]:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        held = m.conv(x)
        return act(F.relu(held) if neurons else held).flatten(1) + F.relu(m.conv(x)).flatten(1)[:, :1]

    model = toys.toy(body, conv=toys.conv())
    return jumps_at_zero(from_torch(model, model.input_shape))


@pytest.mark.parametrize(
    "act",
    [
        lambda x: F.normalize(x, dim=1),
        lambda x: x / x.norm(dim=1, keepdim=True),
        lambda x: x / (x.norm(dim=1, keepdim=True) + 1e-12),
        lambda x: F.cosine_similarity(x, x.flip(1), dim=1),
        lambda x: x.sign(),
    ],
)
def test_what_jumps_is_named(act: Act) -> None:
    assert len(names(act)) == 1
    assert names(act, neurons=False) == []


@pytest.mark.parametrize(
    "act", [lambda x: x / (1 + x), lambda x: F.layer_norm(x, x.shape[1:]), lambda x: x.norm(dim=1), lambda x: x.softmax(1)]
)
def test_what_is_continuous_is_not(act: Act) -> None:
    assert names(act) == []
