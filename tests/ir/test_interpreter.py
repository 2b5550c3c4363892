"""The interpreter lets others take part in a run, and holds no value longer than the graph itself would."""

import gc
import weakref

import harness
import pytest
import torch
import toys
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import Interpreter, device_of, magnitudes, read_results, relative_error, result_shapes

PROGRAM = harness.program_of(toys.residual)
IMAGES = harness.images(PROGRAM)


def test_without_company_it_is_the_graph() -> None:
    with torch.no_grad():
        assert torch.equal(Interpreter(PROGRAM.graph_module).run(IMAGES), PROGRAM(IMAGES))


def test_each_module_is_called_in_its_place_and_only_modules_are() -> None:
    """``call`` gets the node, the module and its inputs in the order of the graph; what it returns is the result."""
    seen: list[str] = []

    def halved(node: fx.Node, module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        seen.append(node.name)
        assert module is PROGRAM.graph_module.get_submodule(node.target)
        result = module(*(0.5 * x for x in inputs)) if node.name == "stem" else module(*inputs)
        return result + 1 if node.target == "head" else result

    with torch.no_grad():
        found = Interpreter(PROGRAM.graph_module, halved).run(IMAGES)
        assert torch.allclose(found, PROGRAM(0.5 * IMAGES) + 1, atol=1e-6)
    assert seen == [node.name for node, _ in PROGRAM.calls()]


def test_the_result_of_every_node_is_seen_once_it_is_there() -> None:
    seen: dict[str, object] = {}
    with torch.no_grad():
        logits = Interpreter(PROGRAM.graph_module, after=lambda node, result: seen.update({node.name: result})).run(
            IMAGES
        )
    assert list(seen) == [node.name for node in PROGRAM.graph_module.graph.nodes]
    assert torch.equal(seen["image"], IMAGES) and torch.equal(seen["output"], logits)


@pytest.mark.parametrize("taking_part", [False, True])
def test_a_value_is_dropped_after_its_last_use(taking_part: bool) -> None:
    """In a chain of layers no more than two results are alive at a time, whoever looks on."""
    layers = nn.Sequential(*(nn.Linear(3, 3) for _ in range(6)))
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def look(node: fx.Node, result: Tensor) -> None:
        nonlocal most
        if node.op == "call_module":
            alive.append(weakref.ref(result))
            most = max(most, sum(one() is not None for one in alive))

    call = (lambda node, module, inputs: module(*inputs)) if taking_part else None
    gc.disable()  # nothing may depend on the collector
    try:
        with torch.no_grad():
            Interpreter(fx.symbolic_trace(layers), call, look).run(torch.ones(2, 3))
    finally:
        gc.enable()
    assert len(alive) == 6 and most == 2


def test_results_and_shapes_by_name() -> None:
    results = read_results(PROGRAM.graph_module, [IMAGES], lambda name, result: result)
    some = read_results(PROGRAM.graph_module, [IMAGES], lambda name, result: result if name == "stem" else None)
    shapes = result_shapes(PROGRAM.graph_module, IMAGES)
    assert {name: tuple(value.shape[1:]) for name, value in results.items()} == shapes
    assert shapes["image"] == PROGRAM.input_shape and shapes["output"] == (5,)
    assert list(some) == ["stem"] and torch.equal(some["stem"], results["stem"])


def test_the_device_is_that_of_the_first_tensor() -> None:
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")


@pytest.mark.parametrize("mask", [-1e4, -1e9, torch.finfo(torch.float32).min])
@pytest.mark.parametrize("added", [False, True])
def test_a_masked_class_hides_no_difference_of_the_others(mask: float, added: bool) -> None:
    logits = torch.tensor([[2.0, -1.0, 0.0], [0.5, 4.0, 1.0]])
    logits[:, 2] = mask + added * logits[:, 2]
    other = logits.clone()
    other[0, 0] += 0.04
    assert relative_error(other, logits) == pytest.approx(0.01, rel=1e-5)
    assert relative_error(logits, logits) == 0.0


def test_a_masked_class_is_compared_with_itself() -> None:
    logits = torch.tensor([[2.0, -1e9], [4.0, -1e9]])
    assert relative_error(logits * torch.tensor([1.0, 1.01]), logits) == pytest.approx(0.01, rel=1e-5)
    assert relative_error(logits.new_tensor([[2.0, 0.0], [4.0, 0.0]]), logits) == 1.0


@pytest.mark.parametrize(
    "rows",
    [
        torch.tensor([[1.0, -8.0], [-2.0, 3.0]]),
        torch.tensor([[1e9, 1e9, 2e9], [1e9, 1e9, 2e9]]),
        torch.tensor([[1e-4, -9.0], [2e-4, -9.0]]),  # logarithms of probabilities
        torch.tensor([[-1e9, 2.0], [3.0, -1e9]]),  # each image has a mask of its own
        torch.tensor([1.0, -1e9]),
        torch.tensor([[20.0, 5000.0]]),  # of one image nothing is known
        torch.zeros(2, 3),
    ],
)
def test_other_rows_have_one_magnitude(rows: Tensor) -> None:
    assert magnitudes(rows).dim() == 0 and magnitudes(rows) == rows.abs().max()
