"""A rectifier and a clamp beside it are one clipped rectifier; the outputs stay the same."""

import math
from collections.abc import Callable

import harness
import pytest
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.operators import AtenOperator, ClippedReLU
from seenn_convert.passes.join_clips import JoinClips

Act = Callable[[Tensor], Tensor]


def joined(act: Act) -> list[nn.Module]:
    model = toys.toy(lambda m, x: act(m.conv(x)).flatten(1), conv=toys.conv())
    return [module for _, module in harness.check_pass(JoinClips(), model).calls()][1:-1]


@pytest.mark.parametrize(
    ("act", "maximum"),
    [
        (lambda x: F.relu(x.clamp(-10, 0.3)), 0.3),
        (lambda x: F.relu(x).clamp(-65504, 0.3), 0.3),
        (lambda x: F.relu(x).clamp(max=0.3), 0.3),
        (lambda x: F.relu(x).clamp(-5), math.inf),
        (lambda x: F.relu6(x.clamp(-10, 10)), 6.0),
        (lambda x: F.relu6(x).clamp(-10, 10), 6.0),
        (lambda x: F.relu(F.hardtanh(x)), 1.0),
        (lambda x: F.relu(x.clamp(-10, 0.4)).clamp(-1, 0.3).clamp(-100, 100), 0.3),
    ],
)
def test_a_pair_around_zero_is_one_rectifier(act: Act, maximum: float) -> None:
    (module,) = joined(act)

    assert module.maximum == pytest.approx(maximum) if isinstance(module, ClippedReLU) else math.isinf(maximum)


@pytest.mark.parametrize(
    "act",
    [
        lambda x: F.relu(x).clamp(0.1, 2),  # the lower bound lifts what the rectifier sends
        lambda x: F.relu(x.clamp(-2, -1)),  # nothing is left
        lambda x: F.relu(F.relu6(x)),  # no clamp
        lambda x: x.clamp(-2, 2).clamp(-1, 1),  # no rectifier
        lambda x: x.clamp(min=0.3).clamp(max=0.2),  # a constant
    ],
)
def test_other_pairs_stay(act: Act) -> None:
    assert len(joined(act)) > 1


def test_a_lower_and_an_upper_bound_are_one_clamp_which_a_rectifier_takes_too() -> None:
    (clamp,) = joined(lambda x: x.clamp(min=-0.2).clamp(max=0.3))
    (rectifier,) = joined(lambda x: F.relu(x.clamp(min=-0.2).clamp(max=0.3)))

    assert isinstance(clamp, AtenOperator) and clamp.arguments == ("@0", -0.2, 0.3)
    assert isinstance(rectifier, ClippedReLU) and rectifier.maximum == 0.3


def test_declines_where_something_else_reads_the_first() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        held = F.relu(m.conv(x))
        return (held.clamp(-9, 0.2) + held).flatten(1)

    program = harness.check_pass(JoinClips(), toys.toy(body, conv=toys.conv()))

    assert program.history[-1].changed == ()
    assert program.history[-1].declined == (("clamp_2", "relu has other users"),)
