"""Padding with minus infinity becomes part of the max pooling behind it, or is refused."""

from typing import Any

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.ir.operators import Pad, PaddedMaxPool
from seenn_convert.ir.program import format_program
from seenn_convert.passes.fuse_padded_max_pool import FusePaddedMaxPool

NOTHING = float("-inf")


def padded() -> toys.Toy:
    """As exporters write a max pooling with uneven padding."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.pad(F.relu(m.conv(x)), (0, 1, 0, 1), value=NOTHING), 3, 2)
        return m.head(x.flatten(1))

    return toys.toy(body, conv=toys.conv(), head=nn.Linear(64, 5))


def test_fuse_padded_max_pool(golden) -> None:
    golden.check("fuse_padded_max_pool.txt", format_program(harness.check_pass(FusePaddedMaxPool(), padded())))


def test_all_poolings_that_read_the_padding() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1), value=NOTHING)
        return torch.cat([F.max_pool2d(x, 2).flatten(1), F.max_pool2d(x, 3).flatten(1)], 1)

    program = harness.check_pass(FusePaddedMaxPool(), toys.toy(body))
    assert sum(isinstance(module, PaddedMaxPool) for _, module in program.calls()) == 2
    assert not any(isinstance(module, Pad) for _, module in program.calls())


def test_padding_with_a_number_stays() -> None:
    model = toys.toy(lambda m, x: F.max_pool2d(F.pad(x, (1, 1), value=-3.0), 2).flatten(1))

    assert not FusePaddedMaxPool()(harness.as_program(model)).history[-1].changed


def test_its_spikes_follow_the_mean_law() -> None:
    """Behind neurons the fused pooling is a temporal difference: finite at every step, and converging."""
    program = harness.as_program(padded())
    ann, snn = harness.ann_program(program), harness.spiking_program(program)
    batch, total = harness.images(ann), 0.0
    for step in harness.timesteps(snn, batch, 256):
        total = total + step.results[0]
        assert total.isfinite().all()
    assert harness.relative_error(total / 256, ann(batch)) < 0.02


@pytest.mark.parametrize(
    "body",
    [
        lambda m, x: F.pad(x, (1, 1), value=NOTHING).amax((2, 3)),
        lambda m, x: F.max_pool2d(F.pad(x, (1, 1), value=float("inf")), 2).flatten(1),
        lambda m, x: torch.cat([(y := F.pad(x, (1, 1), value=NOTHING)).flatten(1), F.max_pool2d(y, 2).flatten(1)], 1),
    ],
)
def test_infinity_for_anything_else_is_refused_with_its_place(body) -> None:
    with pytest.raises(UnsupportedOperatorError) as caught:
        FusePaddedMaxPool()(harness.as_program(toys.toy(body)))

    (problem,) = caught.value.problems
    assert problem.startswith("pad (pad at toys.py:")
    assert problem.endswith("it pads with infinity and not for a max pooling; pad with a number")
