"""One module for any ATen operator of the closed list: its arguments, what it prints, what it refuses."""

import pytest
import torch
from small_operators import OUTSIDE
from torch import Tensor, nn

from seenn_convert.ir.operators import AtenOperator
from seenn_convert.ir.operators.aten import GENERAL, LINEAR, PRODUCTS, is_elementwise, resolve

X = torch.randn(2, 3, 4)
LINEAR_CALLS = [
    AtenOperator("roll.default", ("@0", (1, -1), (1, 2))), AtenOperator("flip.default", ("@0", (2,))),
    AtenOperator("sum.dim_IntList", ("@0", (1,), True)), AtenOperator("cumsum.default", ("@0", 1)),
    AtenOperator("repeat.default", ("@0", (1, 2, 1))), AtenOperator("tril.default", ("@0",)),
    AtenOperator("index_select.default", ("@0", 2, "#0"), (), (torch.tensor([3, 0, 0]),)),
    AtenOperator("unfold.default", ("@0", 2, 2, 1)), AtenOperator("upsample_linear1d.default", ("@0", (7,), False)),
    AtenOperator("masked_fill.Scalar", ("@0", "#0", 2.0), (), (torch.eye(4)[:3].bool(),)),
    AtenOperator("where.self", ("#0", "@0", "#1"), (), (torch.eye(4)[:3].bool(), torch.tensor(0.5))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (AtenOperator("silu.default", ("@0",)), nn.functional.silu(X)),
        (AtenOperator("softmax.int", ("@0", 2)), X.softmax(2)),
        (AtenOperator("sub.Tensor", ("#0", "@0"), (("alpha", 2),), (torch.ones(4),)), 1 - 2 * X),
        (AtenOperator("einsum.default", ("bij,bkj->bik", ("@0", "@0"))), X @ X.transpose(1, 2)),
        (AtenOperator("amax.default", ("@0", (1, 2))), X.amax((1, 2))),
        (AtenOperator("clamp.default", ("@0", None, 0.5)), X.clamp(max=0.5)),
    ],
)
def test_activations_constants_and_the_rest_go_to_their_places(operator: AtenOperator, expected: Tensor) -> None:
    assert torch.allclose(operator(X), expected)


def test_a_text_that_is_no_place_is_handed_on() -> None:
    gelu = AtenOperator("gelu.default", ("@0",), (("approximate", "tanh"),))

    torch.testing.assert_close(gelu(X), nn.functional.gelu(X, approximate="tanh"), rtol=1e-6, atol=1e-7)
    assert repr(gelu) == "AtenOperator(gelu, approximate=tanh)"
    assert gelu.name == "gelu"


def test_constants_are_buffers_of_their_own() -> None:
    shift = torch.ones(4)
    operator = AtenOperator("maximum.default", ("@0", "#0"), (), (shift,))
    shift.zero_()

    assert dict(operator.named_buffers())["constant_0"].tolist() == [1.0] * 4
    assert repr(operator) == "AtenOperator(maximum, #0)"


@pytest.mark.parametrize("operator", LINEAR_CALLS, ids=repr)
def test_mean_law_of_the_linear_ones(operator: AtenOperator) -> None:
    assert operator.name in LINEAR
    currents = torch.randn(5, 2, 3, 4)
    outputs = torch.stack([operator(current) for current in currents])
    for t in range(1, 6):
        assert torch.allclose(outputs[:t].mean(0), operator(currents[:t].mean(0)), atol=1e-5)


def test_the_lists_name_operators_that_exist() -> None:
    assert all(hasattr(torch.ops.aten, name) for name in (*LINEAR, *GENERAL))
    assert set(PRODUCTS) <= set(GENERAL)
    assert not set(LINEAR) & set(GENERAL)


def test_every_elementwise_operator_is_in_the_list() -> None:
    for name in ("silu", "gelu", "mish", "erf", "tanh", "softplus", "elu", "exp", "reciprocal", "sign"):
        assert callable(resolve(f"{name}.default"))
    assert is_elementwise(torch.ops.aten.mul.Tensor)
    assert not is_elementwise(torch.ops.aten.mul_.Tensor)
    assert not is_elementwise(torch.ops.aten.mul.out)
    assert not is_elementwise(torch.ops.aten.softmax.int)
    assert not is_elementwise(None)


@pytest.mark.parametrize("name", OUTSIDE)
def test_any_other_operator_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an operator that a program may hold"):
        AtenOperator(name, ("@0",))


@pytest.mark.parametrize("operator", ["sigmoid.default", "silu.default", "exp.default", "gelu.default", "tanh.default"])
@pytest.mark.parametrize("width", [1, 4, 5, 36])
def test_a_row_has_the_same_bits_whatever_the_number_of_rows(operator: str, width: int) -> None:
    """Kernels compute the end of a tensor by other instructions than the rest; no row may notice."""
    module, x = AtenOperator(operator, ("@0",)), torch.randn(31, width)
    whole = module(x)
    for rows in range(1, 31):
        assert torch.equal(module(x[:rows].clone()), whole[:rows])
