"""One aten call: its arguments by name, its shapes without the batch, and where it comes from."""

import pytest
import torch
import toys
from torch import Tensor, fx, nn
from torch.export import Dim
from torch.nn import functional as F

from seenn_convert.frontend.torch.call import (
    Call,
    Refusal,
    describe_source,
    module_path,
    operator_name,
    rank_of,
    source_line,
)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x), 0.3)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x).clamp_(0, 2).flatten(1)


@pytest.fixture(scope="module")
def nodes() -> dict[str, fx.Node]:
    image = torch.zeros(2, *toys.IMAGE)
    exported = torch.export.export(Network().eval(), (image,), dynamic_shapes=({0: Dim.AUTO},))
    return {node.name: node for node in exported.graph.nodes}


def call_of(target: object, *args: object, **kwargs: object) -> Call:
    """Return a call outside of any network; placeholders named ``w`` hold constants."""
    graph = fx.Graph()
    names = {name: graph.placeholder(name) for name in ("x", "w")}
    values = [names.get(a, a) if isinstance(a, str) else a for a in args]
    node = graph.call_function(target, tuple(values), kwargs)  # type: ignore[arg-type]
    return Call(node, {names["w"]: torch.arange(3.0)})


def test_arguments_are_bound_to_the_schema_with_defaults() -> None:
    call = call_of(torch.ops.aten.max_pool2d.default, "x", [3, 2], padding=1)

    assert call.integers("kernel_size") == (3, 2)
    assert call.integers("padding") == (1,)
    assert call.integers("stride") == ()
    assert call.flag("ceil_mode") is False
    assert call.is_activation("self") and call.tensor("self").name == "x"


def test_numbers_and_what_is_missing() -> None:
    call = call_of(torch.ops.aten.clamp.default, "x", 0.5)

    assert call.number("min") == 0.5
    assert call.number("max") is None
    assert call.value("nothing") is None
    with pytest.raises(Refusal, match="'self' is computed, not a number"):
        call.number("self")
    with pytest.raises(Refusal, match="'min' is computed, not an integer"):
        call.integer("min")
    with pytest.raises(Refusal, match="'min' is computed, not a list of integers"):
        call.integers("min")


def test_constants_and_activations_are_told_apart() -> None:
    call = call_of(torch.ops.aten.add.Tensor, "x", "w", alpha=2)

    assert call.weight("other").tolist() == [0.0, 1.0, 2.0]
    assert not call.is_activation("other")
    assert call.constant("alpha").item() == 2.0
    assert call.constant("nothing") is None
    with pytest.raises(Refusal, match="'other' is a constant, not an activation"):
        call.tensor("other")
    with pytest.raises(Refusal, match="'self' is computed from the image"):
        call.constant("self")
    with pytest.raises(Refusal, match="'nothing' is missing"):
        call.weight("nothing")


def test_ranks_count_the_batch(nodes: dict[str, fx.Node]) -> None:
    assert rank_of(nodes["conv2d"]) == 4


def test_operator_names_join_overloads_and_in_place_forms(nodes: dict[str, fx.Node]) -> None:
    assert operator_name(nodes["conv2d"]) == "conv2d"
    assert operator_name(nodes["clamp_"]) == "clamp"
    assert operator_name(nodes["flatten"]) == "flatten"


def test_a_call_knows_its_module_and_the_users_line(nodes: dict[str, fx.Node]) -> None:
    """The line is in the user's file, not in PyTorch's."""
    line = Block.forward.__code__.co_firstlineno + 1

    assert module_path(nodes["conv2d"]) == ("block.conv", "torch.nn.modules.conv.Conv2d")
    assert source_line(nodes["conv2d"]) == f"test_call.py:{line}"
    assert describe_source(nodes["leaky_relu"]) == f"block (test_call.py:{line})"


def test_what_is_not_known_is_empty() -> None:
    node = fx.Graph().placeholder("x")

    assert source_line(node) == describe_source(node) == ""
    assert module_path(node) == ("", "")


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        ('File "/home/me/net.py", line 3, in forward\n', "net.py:3"),
        ('File "C:\\work\\net.py", line 7, in forward\n', "net.py:7"),
        ('File "a.py", line 1, in forward\nFile "/x/torch/nn/modules/conv.py", line 9, in forward\n', "a.py:1"),
        ('File "/x/torch/nn/modules/conv.py", line 9, in forward\n', ""),
        ("no frame", ""),
    ],
)
def test_source_lines_of_other_machines(trace: str, expected: str) -> None:
    node = fx.Graph().placeholder("x")
    node.meta["stack_trace"] = trace

    assert source_line(node) == expected
