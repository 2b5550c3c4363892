"""What computes nothing at inference goes; what only looks like it stays."""

import harness
import pytest
import torch
import toys
from torch import Tensor, fx, nn

from seenn_convert.ir.operators import Affine, Concatenate, Pad, Permute, Reshape, Slice
from seenn_convert.ir.program import Program, Stage, format_program
from seenn_convert.passes.drop_no_ops import DropNoOps

ONES, ZEROS = torch.ones(3, 1, 1), torch.zeros(3, 1, 1)


def single(module: nn.Module, input_shape: tuple[int, ...] = (3, 4, 4)) -> Program:
    """Return the program of one call."""
    graph, root = fx.Graph(), nn.Module()
    root.call = module.eval()
    graph.output(graph.call_module("call", (graph.placeholder("image"),)))
    return Program(fx.GraphModule(root, graph), Stage.ANN, input_shape)


@pytest.mark.parametrize(
    "module",
    [
        nn.Dropout(), nn.Identity(), Reshape((3, 4, 4)), nn.AdaptiveAvgPool2d(4), nn.AvgPool2d(1),
        nn.MaxPool2d((1, 1), 1), Pad((0, 0, 0, 0), 3.0), Permute((0, 1, 2, 3)), Affine(ONES, ZEROS), Concatenate(1),
        Slice(1, 0, 3), Slice(3, 0, 9),
    ],
    ids=repr,
)  # fmt: skip
def test_what_changes_nothing_goes(module: nn.Module) -> None:
    assert not list(harness.check_pass(DropNoOps(), single(module)).calls())


@pytest.mark.parametrize(
    "module",
    [
        Reshape((48,)), nn.AdaptiveAvgPool2d(2), nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1), Pad((1, -1)),
        nn.AvgPool2d(1, divisor_override=2), Permute((0, 1, 3, 2)), Affine(2 * ONES, ZEROS), Affine(ONES, ONES),
        nn.MaxPool2d(1, 2), Slice(1, 0, 2), nn.ReLU(),
    ],
    ids=repr,
)  # fmt: skip
def test_what_changes_something_stays(module: nn.Module) -> None:
    assert len(list(harness.check_pass(DropNoOps(), single(module)).calls())) == 1


@pytest.mark.parametrize("module", [nn.AvgPool1d(1), nn.MaxPool1d(1), nn.AdaptiveAvgPool1d(6)], ids=repr)
def test_over_one_axis_too(module: nn.Module) -> None:
    assert not list(harness.check_pass(DropNoOps(), single(module, (2, 6))).calls())


def test_a_broadcast_by_ones_stays() -> None:
    """Multiplying by ones is no operation unless it makes the result larger."""
    program = harness.check_pass(DropNoOps(), single(Affine(torch.ones(3, 4, 4), torch.zeros(3, 4, 4)), (1, 4, 4)))

    assert len(list(program.calls())) == 1


def test_a_concatenation_of_two_stays() -> None:
    def body(m: nn.Module, x: Tensor) -> Tensor:
        return m.head(torch.cat([x, x], 1).flatten(1))

    program = harness.check_pass(DropNoOps(), toys.toy(body, head=nn.Linear(384, 5)))

    assert any(isinstance(module, Concatenate) for _, module in program.calls())


def test_a_network_of_nothing_is_its_image() -> None:
    program = harness.check_pass(DropNoOps(), single(nn.Dropout()))
    image = harness.images(program)

    assert torch.equal(program(image), image)


def test_drop_no_ops_as_text(golden) -> None:
    """Dropout between two layers, a pooling to the size that is there, a flatten of a row."""

    def body(m: nn.Module, x: Tensor) -> Tensor:
        return m.head(m.drop(nn.functional.adaptive_avg_pool2d(m.conv(x), 8).flatten(1)).flatten(1))

    model = toys.toy(body, conv=toys.conv(), drop=nn.Dropout(), head=nn.Linear(256, 5))
    golden.check("drop_no_ops.txt", format_program(harness.check_pass(DropNoOps(), model)))
