"""Each operator has one treatment, and what is called linear or homogeneous is."""

import pytest
import torch
from torch import nn

from seenn_convert.ir import operators
from seenn_convert.ir.operators import (
    HOMOGENEOUS_OPERATORS,
    LINEAR_OPERATORS,
    RELU_FAMILY,
    AtenOperator,
    PerPart,
    Treatment,
    is_homogeneous,
    treatment_of,
)
from seenn_convert.ir.schema import OPTIONS


@pytest.mark.parametrize("kind", HOMOGENEOUS_OPERATORS)
def test_homogeneous_operators_scale_with_their_input(kind: type[nn.Module]) -> None:
    padded = kind is operators.PaddedMaxPool
    module = kind((1, 1), nn.MaxPool2d(2)) if padded else kind(2)
    x = torch.randn(3, 4, 6) if "1d" in kind.__name__ else torch.randn(3, 4, 6, 6)

    assert is_homogeneous(module) and is_homogeneous(PerPart(module)) and not is_homogeneous(nn.LayerNorm(6))
    for t in (0.5, 2.0, 7.0):
        assert torch.allclose(module(t * x), t * module(x))


def test_each_operator_has_one_treatment() -> None:
    assert treatment_of(nn.ReLU()) is treatment_of(operators.ClippedReLU(1.0)) is Treatment.SPIKING
    assert treatment_of(nn.LeakyReLU()) is treatment_of(nn.PReLU()) is Treatment.SPIKING
    assert treatment_of(operators.Encode()) is Treatment.SPIKING
    assert treatment_of(nn.Conv2d(1, 1, 1)) is treatment_of(operators.Add()) is Treatment.LINEAR
    assert treatment_of(nn.MaxPool2d(2)) is treatment_of(nn.LayerNorm(2)) is Treatment.TEMPORAL_DIFFERENCE
    assert not set(RELU_FAMILY) & set(LINEAR_OPERATORS)
    assert set(LINEAR_OPERATORS) | set(HOMOGENEOUS_OPERATORS) | set(RELU_FAMILY) <= set(OPTIONS)


@pytest.mark.parametrize("operator", [nn.Conv1d(2, 2, 1), nn.MaxPool1d(2), nn.LayerNorm(2)], ids=repr)
def test_on_the_parts_of_a_row_an_operator_is_treated_as_on_a_row(operator: nn.Module) -> None:
    assert treatment_of(PerPart(operator)) is treatment_of(operator)


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (AtenOperator("roll.default", ("@0", (1,), (1,))), Treatment.LINEAR),
        (AtenOperator("masked_fill.Scalar", ("@0", "#0", 1.0), (), (torch.tensor(True),)), Treatment.LINEAR),
        (AtenOperator("silu.default", ("@0",)), Treatment.TEMPORAL_DIFFERENCE),
        (AtenOperator("softmax.int", ("@0", 1)), Treatment.TEMPORAL_DIFFERENCE),
        (AtenOperator("mul.Tensor", ("@0", "@1")), Treatment.TEMPORAL_DIFFERENCE),
    ],
)
def test_aten_operators_are_treated_by_name(operator: nn.Module, expected: Treatment) -> None:
    assert treatment_of(operator) is expected
