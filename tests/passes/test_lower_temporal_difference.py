"""Max pooling behind neurons becomes its temporal difference; before them it stays what it is."""

import harness
import pytest
import torch
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.ir.operators.step import MeanDifference, TemporalDifference
from seenn_convert.ir.program import IMAGE, Program, format_program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.insert_neurons import InsertNeurons
from seenn_convert.passes.lower_temporal_difference import LowerTemporalDifference


def lowered(model: nn.Module | Program) -> Program:
    ann = harness.ann_program(model)
    thresholds = harness.largest_activations(ann, harness.images(ann), per_channel=False)
    ones = {name: torch.ones_like(value) for name, value in thresholds.items()}
    return LowerTemporalDifference(harness.shapes(ann))(InsertNeurons(ones, Signed())(ann))


def test_lower_temporal_difference(golden) -> None:
    golden.check(
        "lower_temporal_difference.txt", format_program(lowered(harness.program_of(toys.pool_between_neurons)))
    )


@pytest.mark.parametrize("make", [toys.pool_between_neurons, toys.residual, toys.leaky, toys.adaptive, toys.assembly])
def test_mean_law_of_every_pooling_at_every_timestep(make) -> None:
    """After t steps the mean output is the pooling of the mean input, whatever neurons feed it."""
    program = harness.spiking_program(harness.program_of(make))
    calls = {node.name: (node.all_input_nodes[0].name, module) for node, module in program.calls()}
    pools = {name: call for name, call in calls.items() if isinstance(call[1], TemporalDifference)}
    assert pools or make in (toys.assembly, toys.adaptive, toys.leaky)
    taken: dict[str, Tensor] = {}
    sent: dict[str, Tensor] = {}
    for t, step in enumerate(harness.timesteps(program, harness.images(program), 8), start=1):
        for name, (source, module) in pools.items():
            taken[name] = taken.get(name, 0) + step.values[source]
            sent[name] = sent.get(name, 0) + step.values[f"{name}_out"]
            assert torch.allclose(sent[name] / t, module.operator(taken[name] / t), atol=1e-5)


def test_pooling_before_the_neurons_is_declined() -> None:
    """There the input is the same at every timestep: the pooling itself is right, and belongs to the stem."""
    model = toys.toy(lambda m, x: F.relu(m.conv(F.max_pool2d(x, 2))).flatten(1), conv=toys.conv())
    program = lowered(model)

    assert program.history[-1].declined == (("max_pool2d", "its input is the same at every timestep"),)
    assert not any(isinstance(module, TemporalDifference) for _, module in program.calls())


def test_pooling_of_an_image_that_varies_in_time_is_lowered() -> None:
    """The mean output is the pooling of the mean image, at every timestep."""
    ann = harness.ann_program(harness.program_of(toys.position_code))
    step = InsertNeurons({"relu": torch.tensor(1.0)}, Signed())(ann)
    program = LowerTemporalDifference(harness.shapes(ann), (IMAGE,))(step)
    frames = torch.randn(6, 4, *ann.input_shape, generator=torch.Generator().manual_seed(2))
    sent: list[Tensor] = []

    state = initial_state(program, 4)
    for t, frame in enumerate(frames, start=1):
        values = harness.record(program.graph_module, frame, *state.values())
        state = {name: value for name, value in zip(state, values["output"][1:], strict=True)}
        sent.append(values["pool_out"])
        assert torch.allclose(sum(sent) / t, F.max_pool2d(frames[:t].mean(0), 2), atol=1e-5)


def test_state_has_the_shape_of_what_goes_in_and_what_comes_out() -> None:
    program = lowered(harness.program_of(toys.pool_between_neurons))
    shapes = {spec.name: spec.shape for spec in program.states}

    assert shapes["max_pool2d_sum"] == (4, 8, 8)
    assert shapes["max_pool2d_previous"] == (4, 4, 4)
    assert not any(spec.initial for spec in program.states if spec.name.startswith("max_pool2d"))


def gated() -> toys.Toy:
    """Products of activations, one of them the same at every timestep, and norms behind neurons."""

    def body(m: nn.Module, x: Tensor) -> Tensor:
        drive = m.first(x)
        y = F.relu(drive)
        y = m.norm(y * torch.sigmoid(y)) * torch.sigmoid(drive)
        return m.head(y.flatten(1))

    return toys.toy(body, first=toys.conv(), norm=nn.GroupNorm(2, 4), head=nn.Linear(256, 5))


def test_lower_general_temporal_differences(golden) -> None:
    golden.check("lower_mean_difference.txt", format_program(lowered(gated())))


def test_mean_law_of_every_operator_at_every_timestep() -> None:
    """In a whole network: what does not vary is read as it is, what does by its running mean."""
    program = harness.spiking_program(gated())
    calls = [(node, module) for node, module in program.calls() if isinstance(module, MeanDifference)]
    assert [module.varying for _, module in calls] == [(True,), (True, True), (True,), (True, False)]
    harness.check_mean_law(program, calls)


def test_state_of_a_general_difference() -> None:
    """One sum for each input that varies, the last value, and one clock for the whole network."""
    names = [spec.name for spec in lowered(gated()).states]

    assert names.count("clock") == 1
    assert [name for name in names if "_sum_" in name] == [
        "sigmoid_sum_0", "mul_sum_0", "mul_sum_1", "norm_sum_0", "mul_1_sum_0",
    ]  # fmt: skip


def test_a_smooth_operator_before_the_neurons_is_declined() -> None:
    program = lowered(gated())

    assert program.history[-1].declined == (("sigmoid_1", "its input is the same at every timestep"),)
