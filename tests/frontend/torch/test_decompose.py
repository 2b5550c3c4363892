"""Calls without a conversion become calls with one; all others stay as they are."""

import torch
import toys
from reading import Body, exported
from torch import fx
from torch.nn import functional as F

from seenn_convert.frontend.torch.decompose import decompose


def targets(body: Body, own: tuple[str, ...] = (), dynamic: bool = True) -> list[str]:
    """Return what the calls of an exported graph are after ``decompose``."""
    source = exported(toys.toy(body, (4, 6)), dynamic=dynamic)
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    graph.output(graph.graph_copy(source.graph, copies))
    image = next(new for old, new in copies.items() if old.name == "image")
    decompose(graph, image, own)
    graph.lint()
    calls = [node for node in graph.nodes if node.op == "call_function" and "sym_size" not in str(node.target)]
    return [str(node.target) for node in calls]


def test_an_alias_is_replaced() -> None:
    assert targets(lambda m, x: torch.subtract(x, 1)) == ["aten.sub.Tensor"]


def test_what_is_read_stays() -> None:
    """Also composites that are read as one operator."""
    assert targets(lambda m, x: F.silu(torch.matmul(x, torch.ones(6, 2)))) == [
        "aten.ones.default", "aten.matmul.default", "aten.silu.default",
    ]  # fmt: skip


def test_what_has_no_rule_stays_whole() -> None:
    """It is refused under the name that the user wrote."""
    assert targets(lambda m, x: x.logcumsumexp(1)) == ["aten.logcumsumexp.default"]


def test_a_rule_that_ends_in_what_is_not_read_leaves_nothing() -> None:
    assert targets(lambda m, x: torch.cdist(x, x)) == ["aten.cdist.default"]
    assert targets(lambda m, x: torch.count_nonzero(x, 1)) == ["aten.count_nonzero.default"]


def test_an_operator_of_the_users_own_stays() -> None:
    assert targets(lambda m, x: torch.subtract(x, 1), own=("aten::subtract",)) == ["aten.subtract.Tensor"]


def test_parts_tell_what_they_were_written_as() -> None:
    source = exported(toys.toy(lambda m, x: torch.hstack([x, x]), (4, 6)))
    image = next(node for node in source.graph.nodes if node.name == "image")
    decompose(source.graph, image, ())
    (joined,) = (node for node in source.graph.nodes if "cat" in str(node.target))
    assert joined.meta["written"] == "hstack (aten.hstack)"
    assert joined.meta["stack_trace"]
