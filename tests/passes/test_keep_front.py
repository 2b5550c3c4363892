"""The analog front: what is kept, what the stem takes, that nothing else changes, and that it can be taken back."""

import harness
import pytest
import torch
import toys
from torch import nn

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.analysis.front import ACTIVATIONS, front_names
from seenn_convert.errors import PreconditionError
from seenn_convert.ir.operators import SPIKING_OPERATORS, Analog, GradedReLU, QuantisedReLU
from seenn_convert.ir.program import Program, format_program
from seenn_convert.neurons.layers import Neuron
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.carry_skips import CarrySkips
from seenn_convert.passes.insert_encoders import InsertEncoders
from seenn_convert.passes.keep_front import KeepFront
from seenn_convert.passes.sequence import spiking_passes


def residual() -> Program:
    return harness.ann_program(toys.residual())


def gated() -> nn.Module:
    """Without a ReLU: a gate, a residual sum, and one value that two layers read."""

    def body(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(m.first(x))
        return m.head((x + m.second(x) * m.gate(x).sigmoid()).mean((2, 3)))

    return toys.toy(body, first=toys.conv(), second=toys.conv(4), gate=toys.conv(4), head=nn.Linear(4, 5))


def mean_logits(snn: Program, images: torch.Tensor, timesteps: int) -> list[torch.Tensor]:
    total, means = torch.zeros(()), []
    for t, step in enumerate(harness.timesteps(snn, images, timesteps), 1):
        total = total + step.results[0]
        means.append(total / t)
    return means


def spiking(ann: Program) -> Program:
    largest = harness.largest_activations(ann, harness.images(ann))
    return run_passes(ann, spiking_passes(ann, largest, Signed()))


def stem_calls(snn: Program) -> set[str]:
    assert snn.stem is not None
    return {node.name for node in snn.stem.graph.nodes if node.op == "call_module"}


def test_keep_front(golden) -> None:
    golden.check("keep_front.txt", format_program(harness.check_pass(KeepFront(2), residual())))


def test_the_stem_takes_what_is_kept_and_all_up_to_the_first_neurons() -> None:
    """Of the residual network two activations: the sum behind them is all that the first neurons see."""
    snn = spiking(KeepFront(2)(residual()))

    assert stem_calls(snn) == {"stem", "pool", "relu", "conv1", "relu_1", "conv2", "add"}
    assert [node.name for node, _ in snn.calls() if node.name.startswith("relu")] == ["relu_2", "relu_3"]


@pytest.mark.parametrize("kept", range(4))
def test_the_table_of_call_sites_says_what_the_stem_takes(kept: int) -> None:
    ann = KeepFront(kept)(residual())
    assert {site.name for site in call_sites(ann) if site.treatment == "stem"} >= stem_calls(spiking(ann))


@pytest.mark.parametrize("skips", [True, False])
def test_fewer_in_the_front_gives_the_program_of_before(skips: bool) -> None:
    """Also to skip connections: copies are made again behind the front, and none are needed in it."""
    before = CarrySkips(skips)(residual())
    kept = harness.check_pass(KeepFront(3), before)
    back = CarrySkips(skips)(harness.check_pass(KeepFront(0), kept))

    assert front_names(kept) == ("relu", "relu_1", "relu_2")
    assert not any(isinstance(module, GradedReLU) for _, module in kept.calls())
    assert format_program(back) == format_program(before)
    assert format_program(KeepFront(1)(kept)) == format_program(KeepFront(1)(before))


def test_a_quantised_activation_keeps_its_levels() -> None:
    """What it rounds belongs to the network: the front computes it, and neurons get it back."""
    program = harness.as_program(toys.toy(lambda m, x: m.head(m.act(m.conv(x)).flatten(1).relu()), act=nn.ReLU(),
                                          conv=toys.conv(), head=nn.Linear(256, 5)))  # fmt: skip
    ann = harness.ann_program(program)
    first = next(node for node, module in ann.calls() if isinstance(module, SPIKING_OPERATORS))
    ann.graph_module.add_submodule(str(first.target), QuantisedReLU(1.0, 4))
    kept = harness.check_pass(KeepFront(1), ann)

    (analog,) = [module for _, module in kept.calls() if isinstance(module, Analog)]
    assert isinstance(analog.operator, QuantisedReLU) and analog.operator.levels == 4
    assert format_program(KeepFront(0)(kept)) == format_program(ann)


def test_activations_before_depthwise_convolutions_count_too() -> None:
    """Kept in the front or not, they are graded; taken back, they are what they were."""
    model = toys.toy(
        lambda m, x: m.head(torch.relu(m.depthwise(torch.relu(m.point(torch.relu(m.stem(x)))))).mean((2, 3))),
        stem=toys.conv(), point=nn.Conv2d(4, 4, 1), depthwise=toys.conv(4, 4, groups=4), head=nn.Linear(4, 5),
    )  # fmt: skip
    before = harness.ann_program(model)
    graded = CarryDepthwise()(before)

    assert front_names(KeepFront(1)(graded)) == ("relu",)
    assert front_names(harness.check_pass(KeepFront(2), graded)) == ("relu", "relu_1")
    assert stem_calls(spiking(KeepFront(1)(graded))) == stem_calls(spiking(KeepFront(2)(graded)))
    assert format_program(CarryDepthwise()(KeepFront(0)(KeepFront(2)(graded)))) == format_program(graded)
    with pytest.raises(PreconditionError, match="leave none to spike"):
        KeepFront(3)(graded)


def test_places_that_would_encode_stay_graded() -> None:
    """Two layers read graded values then, once for an image; only the last layer reads spikes."""
    ann = InsertEncoders()(harness.ann_program(gated()))
    snn = spiking(harness.check_pass(KeepFront(1), ann))

    assert stem_calls(snn) >= {"silu", "silu_encode", "second", "gate", "mul"}
    assert [node.name for node, module in snn.calls() if isinstance(module, Neuron)] == ["mean_encode"]


def test_with_all_but_the_last_in_the_front_one_layer_of_neurons_is_left() -> None:
    """Its current is constant, so after T steps its mean output is clip(floor(T x / theta + 1/2), 0, T) theta / T."""
    ann, timesteps = residual(), 8
    kept = KeepFront(3)(ann)
    images = harness.images(ann)
    (v_threshold,) = harness.largest_activations(kept, images).values()
    snn = run_passes(kept, spiking_passes(kept, {"relu_3": v_threshold}, Signed()))
    current = harness.record(ann.graph_module, images)["add_1"]
    theta = v_threshold.reshape(-1, 1, 1)
    rounded = (timesteps * current / theta + 0.5).floor().clamp(0, timesteps) * theta / timesteps
    head = ann.graph_module.get_submodule("head")

    harness.assert_same(mean_logits(snn, images, timesteps)[-1], head(rounded.mean(dim=(2, 3))))


def test_a_front_that_leaves_nothing_to_spike_is_refused() -> None:
    with pytest.raises(PreconditionError, match="4 of 4 activations"):
        KeepFront(4)(residual())


def test_the_outputs_tend_to_those_of_the_ann_with_a_front() -> None:
    ann = residual()
    images = harness.images(ann)
    means = mean_logits(spiking(KeepFront(1)(ann)), images, 128)
    errors = [float((mean - ann(images)).abs().max()) for mean in (means[3], means[-1])]

    assert errors[1] < errors[0] / 4


def test_activations_that_depthwise_convolutions_read_count_as_well() -> None:
    """They are graded in any case; in the front they do not vary in time, and behind it they stay what they are."""
    before = CarryDepthwise()(harness.ann_program(toys.depthwise()))
    counted = [node.name for node, module in before.calls() if isinstance(module, ACTIVATIONS)]
    kept = harness.check_pass(KeepFront(1), before)
    after = CarryDepthwise()(CarryDepthwise(graded=False)(KeepFront(0)(kept)))

    assert front_names(kept) == (counted[0],)
    assert format_program(after) == format_program(before)
    assert harness.check_pass(KeepFront(0), CarryDepthwise(graded=False)(kept)).history
