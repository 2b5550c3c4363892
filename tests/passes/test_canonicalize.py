"""One module a call site, one reshape for a chain, one affine for a chain."""

import harness
import torch
import toys
from torch import fx, nn

from seenn_convert.ir.operators import Affine, Reshape
from seenn_convert.ir.program import Program, Stage, format_program
from seenn_convert.passes.canonicalize import Canonicalize


def test_shared_modules_are_split() -> None:
    """Two calls of one module become two modules with the same weights."""
    graph, root = fx.Graph(), nn.Module()
    root.act, root.linear = nn.ReLU(), nn.Linear(3, 3)
    value = graph.placeholder("image")
    for target in ("linear", "act", "linear", "act", "linear"):
        value = graph.call_module(target, (value,))
    graph.output(value)
    root.requires_grad_(False)
    split = harness.check_pass(Canonicalize(), Program(fx.GraphModule(root, graph), Stage.ANN, (3,)))

    targets = [node.target for node, _ in split.calls()]
    assert len(set(targets)) == 5
    assert targets == [node.name for node, _ in split.calls()]
    weights = {id(module.weight) for _, module in split.calls() if isinstance(module, nn.Linear)}
    assert len(weights) == 1


def test_chains_of_reshapes_and_affines_become_one() -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = ((2 * x + 1) / 4 - 0.5).flatten(2).unflatten(2, (4, 16)).flatten(1)
        return m.head(x)

    program = harness.check_pass(Canonicalize(), toys.toy(body, head=nn.Linear(192, 5)))
    modules = [module for _, module in program.calls()]

    assert [type(module) for module in modules] == [Affine, Reshape, nn.Linear]
    assert modules[0].scale.item() == 0.5 and modules[0].shift.item() == -0.25  # ((2x + 1) / 4) - 1/2
    assert modules[1].shape == (192,)


def test_an_affine_that_is_read_twice_stays() -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = 2 * x
        return m.head((y + (y + 1)).flatten(1))

    program = harness.check_pass(Canonicalize(), toys.toy(body, head=nn.Linear(192, 5)))

    assert sum(isinstance(module, Affine) for _, module in program.calls()) == 2


def test_a_reshape_that_is_read_twice_keeps_its_other_reader() -> None:
    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = x.flatten(2)
        return m.head(y.flatten(1)) + y.mean((1, 2)).unsqueeze(1)

    program = harness.check_pass(Canonicalize(), toys.toy(body, head=nn.Linear(192, 5)))

    sources = {node.name: node.all_input_nodes[0].name for node, _ in program.calls()}
    assert sources["flatten"] == sources["flatten_1"] == "image"


def test_canonicalize_as_text(golden) -> None:
    golden.check("canonicalize.txt", format_program(harness.check_pass(Canonicalize(), toys.arithmetic())))
