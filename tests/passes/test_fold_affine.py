"""Scaling and shifting spikes moves into the layer that reads them, so that silent neurons cost nothing there."""

from collections.abc import Callable

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.operators import Affine, Pad
from seenn_convert.ir.program import Program
from seenn_convert.passes.fold_affine import FoldAffine
from seenn_convert.passes.fold_batch_norm import FoldBatchNorm


def folded(body: Callable[[nn.Module, Tensor], Tensor], **modules: nn.Module) -> Program:
    """Return the program behind the pass, which keeps the outputs."""
    torch.manual_seed(0)
    program = FoldBatchNorm()(harness.as_program(toys.toy(body, **modules)))
    return harness.check_pass(FoldAffine(), program)


def affines(program: Program) -> list[str]:
    return [node.name for node, module in program.calls() if isinstance(module, Affine)]


def relu_bn(layer: nn.Module, batch_norm: nn.Module | None = None) -> Program:
    return folded(lambda m, x: m.layer(m.bn(F.relu(x))).flatten(1), bn=batch_norm or nn.BatchNorm2d(3), layer=layer)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 4, 1, bias=False),
        nn.Conv2d(3, 6, 3, groups=3),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.ConvTranspose2d(3, 4, 1),
    ],
    ids=repr,
)
def test_without_padding_the_shift_becomes_a_bias(layer: nn.Module) -> None:
    assert affines(relu_bn(layer)) == []


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 6, 3, padding=2, groups=3, dilation=2, bias=False),
        nn.ConvTranspose2d(3, 4, 3, stride=2),
    ],
    ids=repr,
)
def test_at_padded_edges_the_shift_differs_and_stands_behind_the_layer(layer: nn.Module) -> None:
    """No value that a weight multiplies is shifted any more."""
    program = relu_bn(layer)
    kinds = [type(module) for _, module in program.calls()]

    assert kinds.index(type(layer)) < kinds.index(Affine)


def test_a_scale_alone_needs_no_shift_at_the_edges() -> None:
    assert affines(folded(lambda m, x: m.layer(F.relu(x) * 0.5).flatten(1), layer=nn.Conv2d(3, 4, 3, padding=1))) == []


@pytest.mark.parametrize(
    "between",
    [
        lambda x: x.flatten(1),
        lambda x: F.avg_pool2d(x, 2).flatten(1),
        lambda x: F.adaptive_avg_pool2d(x, 2).flatten(1),
        lambda x: x.mean((2, 3)),
        lambda x: x.mean((2, 3), keepdim=True).flatten(1),
    ],
)
def test_averages_and_reshapes_may_stand_between(between: Callable[[Tensor], Tensor]) -> None:
    size = between(torch.zeros(1, 3, 8, 8)).shape[1]
    program = folded(lambda m, x: m.head(between(m.bn(F.relu(x)))), bn=nn.BatchNorm2d(3), head=nn.Linear(size, 5))

    assert affines(program) == []


def test_over_one_axis_too() -> None:
    torch.manual_seed(0)
    model = toys.toy(lambda m, x: m.layer(m.bn(F.relu(x))).flatten(1), (3, 9), bn=nn.BatchNorm1d(3),
                     layer=nn.Conv1d(3, 4, 3))  # fmt: skip
    assert affines(harness.check_pass(FoldAffine(), FoldBatchNorm()(harness.as_program(model)))) == []


def test_every_reader_gets_the_affine() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        x = m.bn(F.relu(x))
        return (m.first(x) + m.second(x)).flatten(1)

    program = folded(body, bn=nn.BatchNorm2d(3), first=nn.Conv2d(3, 4, 1), second=nn.Conv2d(3, 4, 1))
    assert affines(program) == []


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_padding_of_its_own_may_stand_between(mode: str) -> None:
    program = folded(lambda m, x: m.layer(F.pad(m.bn(F.relu(x)), (1, 1, 2, 0), mode)).flatten(1), bn=nn.BatchNorm2d(3),
                     layer=nn.Conv2d(3, 4, 3))  # fmt: skip
    kinds = [type(module) for _, module in program.calls()]

    assert kinds[:3] == [nn.ReLU, Pad, nn.Conv2d] and (Affine in kinds) == (mode == "constant")


@pytest.mark.parametrize("amounts", [(1, 2), (0, 1, 0, 0), (-1, 0)])
def test_features_may_be_padded(amounts: tuple[int, ...]) -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        return m.layer(F.pad(m.bn(F.relu(x.flatten(1))), amounts))

    layer = nn.Linear(192 + amounts[0] + amounts[1], 4)
    assert affines(folded(body, bn=nn.BatchNorm1d(192), layer=layer)) == []


def test_channels_may_be_padded() -> None:
    program = folded(lambda m, x: m.layer(F.pad(m.bn(F.relu(x)), (0, 0, 0, 0, 1, 0))).flatten(1), bn=nn.BatchNorm2d(3),
                     layer=nn.Conv2d(4, 2, 3))  # fmt: skip
    assert affines(program) == []


def test_padded_logits_keep_what_is_behind_the_activation() -> None:
    program = folded(lambda m, x: F.pad(2 * F.relu(m.layer(x.flatten(1))) + 1, (1, 0)), layer=nn.Linear(192, 1))
    assert affines(program) == ["mul", "add"]


def test_it_stays_where_something_else_reads_it() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        x = m.bn(F.relu(x))
        return (m.layer(x) + x).flatten(1)

    program = folded(body, bn=nn.BatchNorm2d(3), layer=nn.Conv2d(3, 3, 1))
    assert len(affines(program)) == 1 and program.history[-1].declined


def test_pixels_are_not_folded() -> None:
    """Only spikes gain by it; a normalisation of the image stays as it is."""
    assert affines(folded(lambda m, x: m.layer(x * 2).flatten(1), layer=nn.Conv2d(3, 4, 3)))


def test_a_pooling_with_padding_keeps_it_in_front() -> None:
    """An average that counts padding is not the average of shifted values."""
    program = folded(lambda m, x: m.layer(F.avg_pool2d(m.bn(F.relu(x)), 3, 1, 1)).flatten(1), bn=nn.BatchNorm2d(3),
                     layer=nn.Conv2d(3, 4, 1))  # fmt: skip
    assert len(affines(program)) == 1
