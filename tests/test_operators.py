"""The operators beside PyTorch's own: what they compute, and that linear ones are linear."""

import pytest
import torch
from torch import Tensor, nn

from seenn_convert import operators
from seenn_convert.operators import HOMOGENEOUS_OPERATORS, LINEAR_OPERATORS, RELU_FAMILY, Treatment, treatment_of

X = torch.arange(24.0).reshape(1, 2, 3, 4)
LINEAR = [
    operators.Mean((2, 3)), operators.Mean((1,), keepdim=True), operators.Reshape((6, 4)),
    operators.Permute((0, 3, 1, 2)), operators.Slice(2, 0, 3, 2), operators.Pad((1, 2, 0, 1)),
    nn.Conv2d(2, 3, 2), nn.AvgPool2d(2), nn.BatchNorm2d(2),
    nn.AdaptiveAvgPool2d(2), operators.Affine(torch.randn(2, 1, 1), torch.randn(4)), operators.Pad((0, 1), 2.0),
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
    ],
)
def test_unary_operators(module: nn.Module, expected: Tensor) -> None:
    assert torch.equal(module(X), expected)


def test_joining_operators() -> None:
    assert torch.equal(operators.Add()(X, X), 2 * X)
    assert torch.equal(operators.Subtract()(X, 3 * X), -2 * X)
    assert torch.equal(operators.Concatenate(1)(X, X, X), X.repeat(1, 3, 1, 1))


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


@pytest.mark.parametrize("kind", HOMOGENEOUS_OPERATORS)
def test_homogeneous_operators_scale_with_their_input(kind: type[nn.Module]) -> None:
    module, x = kind(2), torch.randn(3, 4, 6) if "1d" in kind.__name__ else torch.randn(3, 4, 6, 6)

    for t in (0.5, 2.0, 7.0):
        assert torch.allclose(module(t * x), t * module(x))


def test_each_operator_has_one_treatment() -> None:
    assert treatment_of(nn.ReLU()) is treatment_of(operators.ClippedReLU(1.0)) is Treatment.SPIKING
    assert treatment_of(nn.LeakyReLU()) is Treatment.SPIKING
    assert treatment_of(nn.Conv2d(1, 1, 1)) is treatment_of(operators.Add()) is Treatment.LINEAR
    assert treatment_of(nn.MaxPool2d(2)) is treatment_of(nn.Sigmoid()) is Treatment.TEMPORAL_DIFFERENCE
    assert not set(RELU_FAMILY) & set(LINEAR_OPERATORS)


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
    ],
)
def test_operators_print_their_options(module: nn.Module, text: str) -> None:
    assert repr(module) == text
