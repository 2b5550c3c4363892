"""Batch norm goes into the layer before it; where it cannot, it becomes an affine and says why."""

import harness
import pytest
import torch
import toys
from torch import Tensor, nn

from seenn_convert.ir.operators import Affine
from seenn_convert.ir.program import Program, format_program
from seenn_convert.passes.fold_batch_norm import FoldBatchNorm, batch_norm_affine


def kinds(program: Program) -> list[str]:
    return [type(module).__name__ for _, module in program.calls()]


def test_fold_batch_norm(golden) -> None:
    folded = harness.check_pass(FoldBatchNorm(), toys.conv_bn_relu())
    golden.check("fold_batch_norm.txt", format_program(folded))


def test_the_folded_weights_are_those_of_the_formula() -> None:
    """weight * gamma / sqrt(var + eps), bias = beta - mean * gamma / sqrt(var + eps)."""
    model = toys.conv_bn_relu()
    folded = FoldBatchNorm()(harness.as_program(model))
    conv, bn = folded.graph_module.conv, model.bn
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()

    assert torch.allclose(conv.weight, model.conv.weight * scale.reshape(-1, 1, 1, 1))
    assert torch.allclose(conv.bias, bn.bias - bn.running_mean * scale, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Conv2d(4, 6, 3, groups=2, stride=2), nn.BatchNorm2d(6), (4, 9, 9)),
        (nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.BatchNorm2d(4, affine=False), (4, 9, 9)),
        (nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6), (4, 9)),
        (nn.Linear(4, 6), nn.BatchNorm1d(6), (4,)),
        (nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), (4,)),
    ],
)
def test_every_layer_with_channels_takes_it(layer: nn.Module, norm: nn.Module, shape: tuple[int, ...]) -> None:
    model = toys.toy(lambda m, x: m.norm(m.layer(x)).flatten(1), shape, layer=layer, norm=norm)
    folded = harness.check_pass(FoldBatchNorm(), model)

    assert kinds(folded)[0] == type(layer).__name__
    assert "Affine" not in kinds(folded)


def test_standing_batch_norms_become_affines_and_say_why(golden) -> None:
    program = harness.check_pass(FoldBatchNorm(), toys.standing_batch_norm())
    golden.check("fold_batch_norm_standing.txt", format_program(program))

    assert dict(program.history[-1].declined) == {
        "on_image": "its input is not a convolution or linear layer; it became a scale and shift per channel",
        "pre": "its input is used elsewhere too; it became a scale and shift per channel",
        "behind_sum": "its input is not a convolution or linear layer; it became a scale and shift per channel",
    }


def test_batch_norm_over_tokens_is_not_folded_into_the_features() -> None:
    """A batch norm of ``(B, L, F)`` scales the L positions, a linear layer could only scale its F features."""
    program = harness.check_pass(FoldBatchNorm(), toys.tokens())

    assert kinds(program)[:2] == ["Linear", "Affine"]
    (_, affine), *_ = [(node, module) for node, module in program.calls() if isinstance(module, Affine)]
    assert affine.scale.shape == (4, 1)


def test_two_batch_norms_in_a_row_fold_into_one_layer() -> None:
    model = toys.toy(lambda m, x: m.b(m.a(m.conv(x))).flatten(1), conv=toys.conv(), a=nn.BatchNorm2d(4),
                     b=nn.BatchNorm2d(4))  # fmt: skip

    assert kinds(harness.check_pass(FoldBatchNorm(), model)) == ["Conv2d", "Reshape"]


def test_the_affine_of_a_batch_norm() -> None:
    bn = toys.warm(nn.BatchNorm2d(3)).eval()
    scale, shift = batch_norm_affine(bn)
    x = torch.randn(2, 3, 4, 4)

    assert torch.allclose(bn(x), scale.reshape(3, 1, 1) * x + shift.reshape(3, 1, 1), atol=1e-6)


def test_a_layer_that_is_used_twice_keeps_its_weights() -> None:
    """Weights that another call shares are not touched either."""

    def body(m: nn.Module, x: Tensor) -> Tensor:
        return (m.norm(m.conv(x)) + m.conv(2 * x)).flatten(1)

    program = harness.check_pass(FoldBatchNorm(), toys.toy(body, conv=toys.conv(), norm=nn.BatchNorm2d(4)))

    assert kinds(program).count("Conv2d") == 2
