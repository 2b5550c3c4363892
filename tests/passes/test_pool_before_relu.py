"""Max pooling and ReLU commute; the pooling goes first where nothing else reads the ReLU."""

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.program import Program, format_program
from seenn_convert.passes.canonicalize import Canonicalize
from seenn_convert.passes.pool_before_relu import PoolBeforeReLU
from seenn_convert.passes.split_leaky_relu import SplitLeakyReLU


def order(program: Program) -> list[str]:
    return [type(module).__name__ for _, module in program.calls()]


def test_pool_before_relu(golden) -> None:
    """The first pooling moves, the second stays: its ReLU feeds the skip connection too."""
    program = harness.check_pass(PoolBeforeReLU(), toys.residual())
    golden.check("pool_before_relu.txt", format_program(program))

    assert program.history[-1].changed == ("relu", "pool")
    assert program.history[-1].declined == (("pool_1", "relu_2 has other users"),)


@pytest.mark.parametrize(
    "pool",
    [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, dilation=2), nn.AdaptiveMaxPool2d(3)],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(0, 0.3)], ids=repr)
def test_every_pooling_moves_in_front_of_every_monotone_activation(pool: nn.Module, act: nn.Module) -> None:
    model = toys.toy(lambda m, x: m.pool(m.act(m.conv(x))).flatten(1), conv=toys.conv(), act=act, pool=pool)
    kinds = order(harness.check_pass(PoolBeforeReLU(), model))

    assert kinds.index(type(pool).__name__) == 1 and kinds[2] in ("ReLU", "ClippedReLU")


def test_a_chain_of_poolings_moves_as_a_whole() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        return F.max_pool2d(F.max_pool2d(F.relu(m.conv(x)), 2), 2).flatten(1)

    program = harness.check_pass(PoolBeforeReLU(), toys.toy(body, conv=toys.conv()))

    assert order(program) == ["Conv2d", "MaxPool2d", "MaxPool2d", "ReLU", "Reshape"]


def test_over_one_axis_too() -> None:
    assert order(harness.check_pass(PoolBeforeReLU(), toys.signal()))[2:4] == ["MaxPool1d", "ReLU"]


def test_a_split_leaky_relu_stays_before_its_pooling() -> None:
    """The pooling reads a difference of two rectified branches, which is not one ReLU."""
    program = harness.check_pass(PoolBeforeReLU(), SplitLeakyReLU()(harness.program_of(toys.leaky)))

    assert not program.history[-1].changed
    assert order(program).index("Subtract") < order(program).index("MaxPool2d")


def test_a_leaky_relu_moves_while_it_is_one_call() -> None:
    kinds = order(harness.check_pass(PoolBeforeReLU(), toys.leaky()))
    assert kinds.index("MaxPool2d") < kinds.index("LeakyReLU")


def affine_pool(scale: list[float], *acts: nn.Module, pool: nn.Module | None = None) -> Program:
    """Return ``pool(scale * act(conv(x)) + shift)``, where scale and shift differ between channels."""
    factor, shift = torch.tensor(scale).reshape(-1, 1, 1), torch.linspace(-1, 1, len(scale)).reshape(-1, 1, 1)

    def body(m: nn.Module, x: Tensor) -> Tensor:
        return m.pool(m.acts(m.conv(x)) * factor + shift).flatten(1)

    modules = {"conv": toys.conv(), "acts": nn.Sequential(*acts), "pool": pool or nn.MaxPool2d(3, 2, 1)}
    return Canonicalize()(harness.as_program(toys.toy(body, **modules)))


@pytest.mark.parametrize("act", [nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(0.2), nn.PReLU(4)], ids=repr)
def test_rising_scales_move_with_the_activation(act: nn.Module) -> None:
    kinds = order(harness.check_pass(PoolBeforeReLU(), affine_pool([0.5, 2.0, 0.0, 1.0], act)))

    assert kinds[:2] == ["Conv2d", "MaxPool2d"] and kinds[3] == "Affine" and len(kinds) == 5


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.AdaptiveMaxPool2d(3)], ids=repr
)
def test_where_a_scale_falls_the_minimum_is_taken(pool: nn.Module) -> None:
    """``max(g * relu(x)) = g * relu(min(x))`` for g < 0, and a minimum is a maximum with the sign changed twice."""
    kinds = order(harness.check_pass(PoolBeforeReLU(), affine_pool([0.5, -2.0, 0.0, -1.0], nn.ReLU(), pool=pool)))

    assert kinds == ["Conv2d", "Affine", type(pool).__name__, "Affine", "ReLU", "Affine", "Reshape"]


def test_two_falling_scales_rise_together() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(F.relu(m.conv(x)) * -2 + 3) * -1, 2).flatten(1)

    kinds = order(
        harness.check_pass(PoolBeforeReLU(), Canonicalize()(harness.as_program(toys.toy(body, conv=toys.conv()))))
    )
    assert kinds[:3] == ["Conv2d", "MaxPool2d", "ReLU"]


def test_an_affine_in_front_of_the_first_activation_stays_there() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(x * 2), 2).flatten(1)

    kinds = order(harness.check_pass(PoolBeforeReLU(), Canonicalize()(harness.as_program(toys.toy(body)))))
    assert kinds[:3] == ["Affine", "MaxPool2d", "ReLU"]


def test_a_slope_of_both_directions_stays() -> None:
    program = harness.check_pass(PoolBeforeReLU(), toys.leaky(-0.5))
    assert "slope below 0" in program.history[-1].declined[0][1]


def test_a_scale_for_each_place_stays() -> None:
    scale = torch.rand(4, 8, 8) + 1

    def body(m: nn.Module, x: Tensor) -> Tensor:
        return F.max_pool2d(F.relu(m.conv(x)) * scale, 2).flatten(1)

    kinds = order(harness.check_pass(PoolBeforeReLU(), toys.toy(body, conv=toys.conv())))
    assert kinds.index("Affine") < kinds.index("MaxPool2d")


def test_average_pooling_stays() -> None:
    model = toys.toy(lambda m, x: F.avg_pool2d(F.relu(x), 2).flatten(1))

    assert order(harness.check_pass(PoolBeforeReLU(), model)) == ["ReLU", "AvgPool2d", "Reshape"]


def test_pooling_the_image_has_no_activation_before_it() -> None:
    model = toys.toy(lambda m, x: F.relu(F.max_pool2d(x, 2)).flatten(1))

    assert order(harness.check_pass(PoolBeforeReLU(), model)) == ["MaxPool2d", "ReLU", "Reshape"]
