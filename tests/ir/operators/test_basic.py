"""The operators beside PyTorch's own: what they compute, and that linear ones are linear."""

import pytest
import torch
from torch import Tensor, nn

from seenn_convert.ir import operators

X = torch.arange(24.0).reshape(1, 2, 3, 4)
LINEAR = [
    operators.Mean((2, 3)), operators.Mean((1,), keepdim=True), operators.Reshape((6, 4)),
    operators.Permute((0, 3, 1, 2)), operators.Slice(2, 0, 3, 2), operators.Pad((1, 2, 0, 1)),
    nn.Conv2d(2, 3, 2), nn.AvgPool2d(2), nn.BatchNorm2d(2),
    nn.AdaptiveAvgPool2d(2), operators.Affine(torch.randn(2, 1, 1), torch.randn(4)), operators.Pad((0, 1), 2.0),
    operators.Pad((1, 1, 0, 0), mode="circular"), operators.PerPart(nn.Conv1d(3, 2, 2)), operators.ConstantRow(torch.randn(3)),
    nn.ConvTranspose2d(2, 3, 2), operators.Encode(),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (operators.Mean((2, 3)), X.mean((2, 3))),
        (operators.Mean((3,), keepdim=True), X.mean(3, keepdim=True)),
        (operators.Reshape((24,)), X.flatten(1)),
        (operators.Permute((0, 2, 3, 1)), X.permute(0, 2, 3, 1)),
        (operators.Slice(1, 1, 2), X[:, 1:2]),
        (operators.Slice(3, 0, 4, 3), X[..., ::3]),
        (operators.Pad((1, 0), 7.0), torch.cat([torch.full((1, 2, 3, 1), 7.0), X], 3)),
        (operators.Affine(torch.tensor(2.0), torch.tensor([1.0, 2.0, 3.0, 4.0])), 2 * X + torch.arange(1.0, 5.0)),
        (operators.ClippedReLU(6.0), X.clamp(0, 6)),
        (operators.Encode(), X),
        (operators.Expand((5, 3, 4)), X[:, :1].expand(1, 5, 3, 4)),
        (operators.ConstantRow(torch.ones(2)), torch.ones(1, 2)),
        (operators.Pad((1, 1, 0, 0), mode="reflect"), nn.functional.pad(X, (1, 1, 0, 0), "reflect")),
        (operators.PaddedMaxPool((1, 1, 1, 1), nn.MaxPool2d(2)), nn.functional.max_pool2d(X, 2, padding=1)),
    ],
)
def test_unary_operators(module: nn.Module, expected: Tensor) -> None:
    given = X[:, :1] if isinstance(module, operators.Expand) else X
    assert torch.equal(module(given), expected)


def test_joining_operators() -> None:
    assert torch.equal(operators.Add()(X, X), 2 * X)
    assert torch.equal(operators.Subtract()(X, 3 * X), -2 * X)
    assert torch.equal(operators.Concatenate(1)(X, X, X), X.repeat(1, 3, 1, 1))


def test_a_constant_row_is_the_same_for_every_row_of_any_input() -> None:
    row = operators.ConstantRow(torch.arange(6.0).reshape(2, 3))

    assert row(torch.randn(4, 9)).shape == (4, 2, 3)
    assert (row(torch.full((4, 1), float("nan"))) == torch.arange(6.0).reshape(2, 3)).all()


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [
        (nn.Conv2d(2, 3, 3, padding=1), [(2, 5, 5)]),
        (nn.LayerNorm(5), [(2, 5, 5)]),
        (nn.Linear(5, 2), [(5,)]),
        (operators.Add(), [(2, 4), (2, 4)]),
        (operators.AtenOperator("matmul.default", ("@0", "@1")), [(2, 3), (3, 4)]),
    ],
)  # fmt: skip
def test_per_part_does_to_each_part_what_the_operator_does_to_a_row(operator: nn.Module, shapes: list) -> None:
    inputs = [torch.randn(3, 4, *shape) for shape in shapes]
    result = operators.PerPart(operator)(*inputs)

    assert result.shape[:2] == (3, 4)
    for row in range(3):
        assert torch.allclose(result[row], operator(*(x[row] for x in inputs)), atol=1e-6)


def test_a_reshape_keeps_the_batch() -> None:
    assert operators.Reshape((4, 6))(torch.zeros(5, 2, 3, 4)).shape == (5, 4, 6)


@pytest.mark.parametrize("module", LINEAR, ids=repr)
def test_mean_law_of_linear_operators(module: nn.Module) -> None:
    """The mean output over timesteps is the operator of the mean input, bias included once per step."""
    module.eval()
    currents = torch.randn(7, 2, 2, 3, 4)
    with torch.no_grad():
        outputs = torch.stack([module(current) for current in currents])
        for t in range(1, 8):
            assert torch.allclose(outputs[:t].mean(0), module(currents[:t].mean(0)), atol=1e-6)


def test_constants_are_copied() -> None:
    """An affine does not change when the tensor it was made of does."""
    scale = torch.ones(2)
    affine = operators.Affine(scale, scale)
    scale.zero_()

    assert affine.scale.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (operators.Concatenate(1), "Concatenate(dim=1)"),
        (operators.Mean((2, 3), True), "Mean(dims=(2, 3), keepdim=True)"),
        (operators.Reshape([4]), "Reshape(shape=(4,))"),
        (operators.Permute((0, 2, 1)), "Permute(dims=(0, 2, 1))"),
        (operators.Slice(1, 0, 2), "Slice(dim=1, start=0, end=2, step=1)"),
        (operators.Pad((1, 1)), "Pad(amounts=(1, 1), value=0.0)"),
        (operators.Affine(torch.ones(2, 1), torch.tensor(0.0)), "Affine(scale=(2, 1), shift=())"),
        (operators.ClippedReLU(6.0), "ClippedReLU(maximum=6.0)"),
        (operators.Expand((2, 3)), "Expand(shape=(2, 3))"),
        (operators.ConstantRow(torch.ones(2, 1)), "ConstantRow(shape=(2, 1))"),
        (operators.Pad((1, 1), mode="reflect"), "Pad(amounts=(1, 1), mode=reflect)"),
    ],
)
def test_operators_print_their_options(module: nn.Module, text: str) -> None:
    assert repr(module) == text
