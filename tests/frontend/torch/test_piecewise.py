"""Exact arithmetic on functions of straight pieces, and the activations that are found by it."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from seenn_convert.frontend.torch.piecewise import recognised
from seenn_convert.ir.operators import Affine, AtenOperator, Cast, ClippedReLU, Elementwise


def call(name: str, *arguments: object, constants: Sequence[Tensor] = ()) -> AtenOperator:
    return AtenOperator(name, arguments, (), constants)


ABOVE_0 = call("gt.Scalar", "@0", 0)
CHOOSE_0 = call("where.ScalarOther", "@0", "@1", 0.0)
TIMES = call("mul.Tensor", "@0", "@1")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (Elementwise(1, [[0], [1, 0]], [ABOVE_0, CHOOSE_0]), nn.ReLU),
        (Elementwise(1, [[0], [0, 1]], [call("ge.Scalar", "@0", 0), TIMES]), nn.ReLU),
        (Elementwise(1, [[0], [1], [0, 2]], [ABOVE_0, Cast("float32"), TIMES]), nn.ReLU),
        (Elementwise(1, [[0], [1], [0, 2]], [ABOVE_0, Cast("float16"), TIMES]), Elementwise),  # its numbers are rounded
        (Elementwise(1, [[0], [0, 1]], [call("gt.Scalar", "@0", 0.1), TIMES]), Elementwise),  # it jumps
        (Elementwise(1, [[0], [0, 1]], [call("lt.Scalar", "@0", 0), TIMES]), Elementwise),  # the other side
        (Elementwise(1, [[0], [1, 0]], [call("square.default", "@0"), TIMES]), Elementwise),  # not straight
        (Elementwise(1, [[0], [1, 0]], [call("eq.Scalar", "@0", 0), call("where.ScalarSelf", "@0", 1.0, "@1")]),
         Elementwise),  # a line but for one point
        (Elementwise(1, [[0], [1]], [nn.ReLU(), call("minimum.default", "@0", "#0", constants=[torch.tensor(2.0)])]),
         ClippedReLU),
        (Elementwise(1, [[0], [1]], [nn.ReLU(), call("minimum.default", "@0", "#0", constants=[torch.ones(2) * 2])]),
         ClippedReLU),
        (Elementwise(1, [[0], [1]], [nn.ReLU(), call("minimum.default", "@0", "#0", constants=[torch.arange(2.0)])]),
         Elementwise),  # a number for each neuron
        (Elementwise(1, [[0], [1]], [Affine(torch.tensor(-1.0), torch.tensor(0.0))] * 2), nn.Identity),
        (Elementwise(1, [[0], [1, 0]], [call("isnan.default", "@0"), call("masked_fill.Scalar", "@1", "@0", 0.0)]),
         nn.Identity),
        (Elementwise(2, [[0], [2, 1]], [ABOVE_0, CHOOSE_0]), Elementwise),  # of two activations
    ],
)  # fmt: skip
def test_a_function_is_recognised_by_its_pieces(function: Elementwise, expected: type[nn.Module]) -> None:
    found = recognised(function)
    assert type(found) is expected
    if function.inputs == 1:
        x = torch.linspace(-3, 3, 62).reshape(-1, 2)
        assert torch.allclose(found(x), function(x), atol=1e-6)


def test_a_slope_and_a_bound_are_kept() -> None:
    leaky = Elementwise(1, [[0], [0], [1, 0, 2]], [
        ABOVE_0, Affine(torch.tensor(0.25), torch.tensor(0.0)), call("where.self", "@0", "@1", "@2"),
    ])  # fmt: skip
    found = recognised(leaky)
    assert isinstance(found, nn.LeakyReLU) and found.negative_slope == 0.25
    low = call("maximum.default", "@0", "#0", constants=[torch.tensor(-0.5)])
    high = call("minimum.default", "@0", "#0", constants=[torch.tensor(2.0)])
    clamp = recognised(Elementwise(1, [[0], [1]], [low, high]))
    assert isinstance(clamp, AtenOperator) and clamp.arguments == ("@0", -0.5, 2.0)


def test_exact_arithmetic_that_floats_do_not_follow_is_not_believed() -> None:
    """``(x + 1e30) - 1e30`` is ``x`` in theory and 0 in single precision."""
    there, back = (Affine(torch.tensor(1.0), torch.tensor(amount)) for amount in (1e30, -1e30))
    assert isinstance(recognised(Elementwise(1, [[0], [1]], [there, back])), Elementwise)
