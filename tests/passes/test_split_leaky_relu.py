"""LeakyReLU as two rectified branches, for every slope."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.ir.program import format_program
from seenn_convert.passes.split_leaky_relu import SplitLeakyReLU


def test_split_leaky_relu(golden) -> None:
    golden.check("split_leaky_relu.txt", format_program(harness.check_pass(SplitLeakyReLU(), toys.leaky())))


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0, 3.0, -0.5, -2.0])
def test_every_slope_is_exact_and_rectified(slope: float) -> None:
    program = harness.check_pass(SplitLeakyReLU(), toys.leaky(slope))
    kinds = [type(module) for _, module in program.calls()]

    assert nn.LeakyReLU not in kinds
    assert kinds.count(nn.ReLU) == (1 if slope == 0 else 2)  # a branch that is always 0 would be dead neurons


def with_slopes(slopes: list[float], layer: str = "conv") -> toys.Toy:
    act = nn.PReLU(len(slopes))
    act.weight.data = torch.tensor(slopes)
    if layer == "conv":
        return toys.toy(lambda m, x: m.head(m.act(m.conv(x)).flatten(1)), conv=toys.conv(), act=act,
                        head=nn.Linear(256, 5))  # fmt: skip
    return toys.toy(lambda m, x: m.head(m.act(m.first(x))), (7,), first=nn.Linear(7, 4), act=act, head=nn.Linear(4, 5))


def test_split_a_slope_for_each_channel(golden) -> None:
    program = harness.check_pass(SplitLeakyReLU(), with_slopes([0.3, 0.0, -0.5, 2.0]))
    golden.check("split_prelu.txt", format_program(program))


@pytest.mark.parametrize("layer", ["conv", "linear"])
@pytest.mark.parametrize("slopes", [[0.3, 0.0, -0.5, 2.0], [0.0] * 4, [0.1] * 4, [1.0, -1.0, 1.0, -1.0]])
def test_slopes_of_any_sign_are_exact_and_rectified(slopes: list[float], layer: str) -> None:
    program = harness.check_pass(SplitLeakyReLU(), with_slopes(slopes, layer))
    kinds = [type(module) for _, module in program.calls()]

    assert nn.PReLU not in kinds and kinds.count(nn.ReLU) == 2


@pytest.mark.parametrize("slope", [0.2, -0.5])
def test_all_readers_read_the_joined_branches(slope: float) -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = m.act(x)
        return m.head((x + x.transpose(2, 3)).flatten(1))

    model = toys.toy(body, act=nn.LeakyReLU(slope), head=nn.Linear(192, 5))
    harness.check_pass(SplitLeakyReLU(), model)


def test_a_leaky_relu_that_is_the_last_operator() -> None:
    model = toys.toy(lambda m, x: m.act(m.head(x)), (7,), head=nn.Linear(7, 5), act=nn.LeakyReLU(0.3))
    harness.check_pass(SplitLeakyReLU(), model)
