"""A function of several elementwise calls: what it computes, what it may hold."""

import pytest
import torch
from torch import nn

from seenn_convert.ir.operators import (
    Affine,
    AtenOperator,
    Cast,
    Elementwise,
    Treatment,
    treatment_of,
    works_on_elements,
)

X = torch.linspace(-2, 2, 30).reshape(2, 3, 5)
ABOVE = AtenOperator("gt.Scalar", ("@0", 0.5))
TIMES = AtenOperator("mul.Tensor", ("@0", "@1"))


def test_each_step_takes_what_its_wiring_says() -> None:
    function = Elementwise(1, [[0], [0, 1]], [ABOVE, TIMES])
    assert torch.equal(function(X), X * (X > 0.5))
    assert treatment_of(function) is Treatment.TEMPORAL_DIFFERENCE


def test_it_may_take_several_inputs_and_hold_functions() -> None:
    inner = Elementwise(1, [[0], [0, 1]], [ABOVE, TIMES])
    function = Elementwise(2, [[1], [0, 2]], [inner, AtenOperator("maximum.default", ("@0", "@1"))])
    assert torch.equal(function(X, -X), torch.maximum(X, -X * (-X > 0.5)))


@pytest.mark.parametrize("name", ["bool", "int64", "bfloat16", "float64"])
def test_a_cast_is_that_of_pytorch(name: str) -> None:
    assert torch.equal(Cast(name)(X), X.to(getattr(torch, name)))


@pytest.mark.parametrize("name", ["complex64", "float", "nn", ""])
def test_a_cast_names_a_type_of_the_list(name: str) -> None:
    with pytest.raises(ValueError, match="not a type of numbers"):
        Cast(name)


@pytest.mark.parametrize(
    ("wiring", "steps"),
    [
        ([], []),
        ([[0]], []),
        ([[1]], [ABOVE]),
        ([[-1]], [ABOVE]),
        ([[0]], [nn.Linear(5, 5)]),
        ([[0]], [AtenOperator("softmax.int", ("@0", 1))]),
        ([[0]], [AtenOperator("flip.default", ("@0", (1,)))]),
    ],
)
def test_what_is_no_elementwise_function_is_refused(wiring: list[list[int]], steps: list[nn.Module]) -> None:
    with pytest.raises(ValueError, match="elementwise function"):
        Elementwise(1, wiring, steps)


def test_which_modules_work_on_elements() -> None:
    assert all(map(works_on_elements, (nn.ReLU(), Affine(torch.ones(3, 1), torch.zeros(())), ABOVE, Cast("bool"))))
    assert works_on_elements(AtenOperator("where.self", ("@0", "@1", "@2")))
    assert not works_on_elements(AtenOperator("sum.dim_IntList", ("@0", (1,))))
