"""The interpreter lets others take part in a run, and holds no value longer than the graph itself would."""

import gc
import weakref

import harness
import pytest
import torch
import toys
from torch import Tensor, fx, nn

from seenn_convert.ir.interpreter import Interpreter, device_of, result_shapes, tensor_results

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
    with torch.no_grad():
        results = tensor_results(PROGRAM.graph_module, IMAGES)
        some = tensor_results(PROGRAM.graph_module, IMAGES, only={"stem"})
    shapes = result_shapes(PROGRAM.graph_module, IMAGES)
    assert {name: tuple(value.shape[1:]) for name, value in results.items()} == shapes
    assert shapes["image"] == PROGRAM.input_shape and shapes["output"] == (5,)
    assert list(some) == ["stem"] and torch.equal(some["stem"], results["stem"])


def test_the_device_is_that_of_the_first_tensor() -> None:
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")
