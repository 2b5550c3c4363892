"""Depthwise convolutions that read graded values: what is changed, what is left alone, and what it does to the error."""

from collections.abc import Callable
from typing import Any

import harness
import pytest
import torch
import toys
from torch import Tensor, nn

from seenn_convert.calibration.output_error import prefix_errors
from seenn_convert.choices import Depthwise
from seenn_convert.ir.operators import Encode, Graded, QuantisedReLU
from seenn_convert.ir.operators.step import ClippedDifference
from seenn_convert.ir.program import Program, format_program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.types import MultiLevel, Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.insert_encoders import InsertEncoders
from seenn_convert.passes.sequence import last_passes, spiking_passes


def inverted_residuals(act: type[nn.Module] = nn.ReLU6, blocks: int = 1) -> nn.Module:
    """A stem, then blocks of expansion, depthwise convolution and projection with a skip connection around them."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = m.act(m.stem(x))
        for expand, depthwise, project in zip(m.expand, m.depthwise, m.project, strict=True):
            x = x + project(m.act(depthwise(m.act(expand(x)))))
        return m.head(m.act(x).mean((2, 3)))

    torch.manual_seed(0)
    model = toys.toy(
        body, stem=toys.conv(), act=act(), head=nn.Linear(4, 5),
        expand=nn.ModuleList(nn.Conv2d(4, 8, 1) for _ in range(blocks)),
        depthwise=nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, groups=8) for _ in range(blocks)),
        project=nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(blocks)),
    )  # fmt: skip
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    for depthwise in model.depthwise:  # the filters tell edges, as many of those that are learned
        depthwise.weight.data -= depthwise.weight.data.mean(dim=(2, 3), keepdim=True)
    return model


def separable(body: Callable[[Any, Tensor], Tensor]) -> Program:
    model = toys.toy(
        lambda m, x: m.head(m.act(body(m, m.act(m.stem(x)))).mean((2, 3))), stem=toys.conv(), act=nn.ReLU(),
        depthwise=toys.conv(4, 4, groups=4), other=toys.conv(4, 4), grouped=toys.conv(4, 4, groups=2),
        head=nn.Linear(4, 5),
    )  # fmt: skip
    return harness.ann_program(model)


def graded(program: Program) -> list[str]:
    return [node.name for node, module in program.calls() if isinstance(module, Graded)]


def test_carry_depthwise(golden) -> None:
    found = harness.check_pass(CarryDepthwise(), harness.ann_program(inverted_residuals()))
    golden.check("carry_depthwise.txt", format_program(found))


def test_taking_back_gives_the_program_of_before() -> None:
    before = harness.ann_program(inverted_residuals(blocks=2))
    there = CarryDepthwise()(before)
    back = harness.check_pass(CarryDepthwise(graded=False), there)

    assert len(graded(there)) == 2 and not graded(back)
    assert format_program(back) == format_program(before)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lambda m, x: m.other(x), ""),
        (lambda m, x: m.grouped(x), ""),  # two inputs of a group are averaged over
        (lambda m, x: m.depthwise(torch.sigmoid(x)), ""),  # which is graded already
        (lambda m, x: m.depthwise(x) + m.other(x), "not only depthwise"),
        (lambda m, x: m.depthwise(x) + x, "not only depthwise"),  # the sum leads to the next neurons
    ],
)
def test_what_is_left_alone(body: Callable[[Any, Tensor], Tensor], reason: str) -> None:
    found = harness.check_pass(CarryDepthwise(), separable(body))

    assert not graded(found)
    assert [why.startswith(reason) for _, why in found.history[-1].declined] == [True] * bool(reason)


def test_views_and_sums_on_the_way_are_no_obstacle() -> None:
    found = CarryDepthwise()(separable(lambda m, x: m.depthwise(nn.functional.pad(x, (1, 0, 1, 0)))))
    assert len(graded(found)) == 1


def test_something_is_left_to_spike() -> None:
    model = toys.toy(lambda m, x: m.depthwise(torch.relu(x)).mean((2, 3)), depthwise=toys.conv(3, 3, groups=3))
    found = harness.check_pass(CarryDepthwise(), harness.ann_program(model))

    assert not graded(found) and "nothing else" in found.history[-1].declined[0][1]


def test_an_encoder_is_left_out_and_comes_back() -> None:
    model = toys.toy(
        lambda m, x: m.head(torch.relu(m.depthwise(nn.functional.silu(m.stem(x)))).mean((2, 3))),
        stem=toys.conv(), depthwise=toys.conv(4, 4, groups=4), head=nn.Linear(4, 5),
    )  # fmt: skip
    before = InsertEncoders()(harness.ann_program(model))
    there = harness.check_pass(CarryDepthwise(), before)
    spiking = run_passes(
        there, spiking_passes(there, harness.largest_activations(there, harness.images(there)), Signed())
    )

    assert [type(module.operator) for _, module in there.calls() if isinstance(module, Graded)] == [Encode]
    assert len(spiking.states) == 2  # of the signed neurons alone: the stem takes all before them
    assert format_program(CarryDepthwise(graded=False)(there)) == format_program(before)


def test_a_quantised_activation_keeps_its_levels() -> None:
    def body(m: Any, x: Tensor) -> Tensor:
        x = torch.relu(m.stem(x))
        x = torch.clamp(torch.floor(m.expand(x) * 4 + 0.5), 0, 4) / 4
        return m.head(torch.relu(m.depthwise(x)).mean((2, 3)))

    model = toys.toy(body, stem=toys.conv(), expand=nn.Conv2d(4, 4, 1), depthwise=toys.conv(4, 4, groups=4),
                     head=nn.Linear(4, 5))  # fmt: skip
    found = harness.check_pass(CarryDepthwise(), harness.ann_program(model))

    assert [type(module.operator) for _, module in found.calls() if isinstance(module, Graded)] == [QuantisedReLU]


def test_the_depthwise_convolution_gets_the_activation_of_the_mean_current_at_every_timestep() -> None:
    ann = CarryDepthwise()(harness.ann_program(inverted_residuals()))
    batch = 20 * harness.images(ann)  # so that the activation clips
    snn = run_passes(ann, spiking_passes(ann, harness.largest_activations(ann, batch), Signed()))
    (name,) = graded(ann)
    ((node, module),) = [(node, one) for node, one in snn.calls() if isinstance(one, ClippedDifference)]
    current = sent = torch.zeros(())
    for t, step in enumerate(harness.timesteps(snn, batch, 6), start=1):
        current, sent = current + step.values[node.args[0].name], sent + step.values[f"{name}_out"]
        assert torch.allclose(sent / t, (current / t).clamp(0, 6), atol=1e-5)
    assert module.maximum == 6.0 and bool((current / 6 > 6).any())


def test_the_error_falls() -> None:
    plain = harness.ann_program(inverted_residuals(blocks=4))
    images, errors, layers = harness.images(plain, 16), {}, {}
    choices: tuple[Depthwise, ...] = ("spiking", "graded")
    for depthwise in choices:
        ann = run_passes(plain, last_passes("graded", depthwise))
        snn = run_passes(ann, spiking_passes(ann, harness.largest_activations(ann, images), MultiLevel()))
        layers[depthwise] = sum(isinstance(module, Neuron) for _, module in snn.calls())
        errors[depthwise] = prefix_errors(snn, images, plain(images), (8, 16))

    assert layers == {"spiking": 10, "graded": 6}
    assert all(few < 0.85 * many for few, many in zip(errors["graded"], errors["spiking"], strict=True))
