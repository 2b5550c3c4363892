"""Activations written with comparisons: what is a ReLU by its law is one, the rest is one operator with the mean law."""

from typing import Any

import harness
import pytest
import torch
import toys
from reading import Body, kinds, read
from torch import Tensor, nn

from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.ir.operators import ClippedReLU, Elementwise
from seenn_convert.ir.operators.step import MeanDifference

K = torch.linspace(0.2, 0.8, 4).reshape(4, 1, 1)


def assigned(m: Any, x: Tensor) -> Tensor:
    x = x.clone()
    x[x < 0] = 0
    return x


def written_behind(m: Any, x: Tensor) -> Tensor:
    """The mask is that of ``x`` before it is written to."""
    y = x * 1
    mask = y > 0
    y.add_(1)
    return y * mask


def smelu(m: Any, x: Tensor) -> Tensor:
    return torch.where(x.abs() <= 1, (x + 1) ** 2 / 4, torch.relu(x))


RELUS: list[Body] = [
    lambda m, x: torch.where(x > 0, x, 0.0),
    lambda m, x: torch.where(x >= 0, x, torch.zeros_like(x)),
    lambda m, x: torch.where(x < 0, torch.tensor(0.0), x),
    lambda m, x: x * (x > 0),
    lambda m, x: (x >= 0) * x,
    lambda m, x: x * (x > 0).float(),
    lambda m, x: x * (x > 0).to(x.dtype),
    lambda m, x: x * ~(x < 0),
    lambda m, x: x * torch.logical_not(x <= 0),
    lambda m, x: x * torch.greater(x, 0),
    lambda m, x: x.masked_fill(x < 0, 0.0),
    lambda m, x: (1 * x).masked_fill_(x < 0, 0.0),
    assigned,
]
ACTIVATIONS: list[tuple[str, Body]] = [
    ("ClippedReLU", lambda m, x: torch.where(x > 6, 6.0, torch.relu(x))),
    ("ClippedReLU", lambda m, x: torch.where(torch.relu(x) < 0.5, torch.relu(x), torch.full_like(x, 0.5))),
    ("ClippedReLU", lambda m, x: torch.where(x < 0, 0.0, torch.where(x > 0.5, 0.5, x))),
    ("LeakyReLU", lambda m, x: torch.where(x > 0, x, 0.1 * x)),
    ("LeakyReLU", lambda m, x: torch.where(x < 0, -x, x)),
    ("clamp", lambda m, x: torch.where(x > 0.5, 0.5, torch.where(x < -0.5, -0.5, x))),
    ("Identity", lambda m, x: torch.where(torch.isnan(x), torch.zeros_like(x), x)),
]
OTHERS: list[Body] = [
    lambda m, x: x * (x > 0.1),
    lambda m, x: x * (x > K),
    lambda m, x: torch.where(x > K, K, x.relu()),
    lambda m, x: x * ((x > 0.1) & (x < 2)),
    lambda m, x: torch.where(x > 0, x, torch.exp(x) - 1),
    lambda m, x: torch.relu(x) * (x > 0.5),
    lambda m, x: (x > 0).float() * 2 - 1,
    lambda m, x: (x > 0).float().mean(1),
    lambda m, x: x.long().float(),
    lambda m, x: x.bfloat16().float(),
    lambda m, x: x.half().relu().float(),
    lambda m, x: torch.where(x > x.flip(1), x, x.flip(1)),
    lambda m, x: x * (x > x.mean((2, 3), keepdim=True)),
    lambda m, x: x * (x.mean(1) > 0).unsqueeze(1),
    lambda m, x: torch.where(x >= x.topk(3, 1).values[:, -1:], x, 0.0),
    smelu,
    written_behind,
]


@pytest.mark.parametrize("body", RELUS)
def test_what_computes_a_relu_is_one(body: Body) -> None:
    program = read(toys.toy(lambda m, x: body(m, x).flatten(1), (4, 5, 5)))
    assert [kind for kind in kinds(program) if kind not in ("Affine", "Reshape")] == ["ReLU"]


@pytest.mark.parametrize(("kind", "body"), ACTIVATIONS)
def test_what_computes_another_activation_is_that(kind: str, body: Body) -> None:
    program = read(toys.toy(lambda m, x: body(m, x).flatten(1), (4, 5, 5)))
    assert [one for one in kinds(program) if one != "Reshape"] == [kind]


@pytest.mark.parametrize("body", OTHERS)
def test_any_other_choice_is_an_elementwise_function(body: Body) -> None:
    """Same numbers as PyTorch, for any batch; no truth value is left as a node of its own."""
    program = read(toys.toy(lambda m, x: body(m, x).flatten(1), (4, 5, 5)))
    values = harness.record(program.graph_module, harness.images(program, 3))
    assert any(isinstance(module, Elementwise) for _, module in program.calls())
    assert all(value.dtype == torch.float32 for value in values.values() if isinstance(value, Tensor))


def test_a_clip_keeps_its_bound() -> None:
    program = read(toys.toy(lambda m, x: torch.where(x > 6, 6.0, torch.relu(x)).flatten(1), (5,)))
    (clip,) = (module for _, module in program.calls() if isinstance(module, ClippedReLU))
    assert clip.maximum == 6.0


def test_a_constant_that_enlarges_the_result_is_no_activation() -> None:
    """``x`` broadcasts against the zeros, which a ReLU would not do."""
    read(toys.toy(lambda m, x: torch.where(x > 0, x, torch.zeros(4, 5, 5)).flatten(1), (4, 1, 1)))


def thresholded() -> toys.Toy:
    def body(m: Any, x: Tensor) -> Tensor:
        h = m.first(x).relu()
        return m.last(smelu(m, m.middle(h)) * (h > 0.2))

    return toys.toy(body, (6,), first=nn.Linear(6, 7), middle=nn.Linear(7, 7), last=nn.Linear(7, 3))


def test_the_mean_output_is_the_function_of_the_mean_input() -> None:
    """At every timestep, also where the function jumps."""
    program = harness.spiking_program(thresholded())
    calls = [
        (node, module)
        for node, module in program.calls()
        if isinstance(module, MeanDifference) and isinstance(module.operator, Elementwise)
    ]
    assert len(calls) == 2
    harness.check_mean_law(program, calls)


def test_an_artifact_holds_it_as_data() -> None:
    program = read(toys.toy(lambda m, x: (x * (x > K)).flatten(1), (4, 5, 5)))
    tensors: dict[str, Tensor] = {}
    back = graph_from_json(graph_to_json(program.graph_module, tensors, "ann"), tensors)
    images = harness.images(program, 3)
    assert torch.equal(back(images), program(images))
