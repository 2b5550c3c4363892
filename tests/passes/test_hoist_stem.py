"""The graph is cut where time enters: the stem runs once and feeds the step at every timestep."""

import harness
import pytest
import torch
import toys

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.program import Program, format_program
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.hoist_stem import HoistStem
from seenn_convert.passes.sequence import spiking_passes


def before_and_after(make) -> tuple[Program, Program]:
    ann = harness.ann_program(harness.program_of(make))
    thresholds = harness.largest_activations(ann, harness.images(ann))
    insert, lower, hoist = spiking_passes(ann, thresholds, Signed())
    before = run_passes(ann, [insert, lower])
    return before, hoist(before)


def inputs_of(program: Program) -> list[str]:
    return [node.name for node in program.graph_module.graph.nodes if node.op == "placeholder"]


@pytest.mark.parametrize("make", toys.SPIKING)
def test_the_cut_changes_no_number(make) -> None:
    """With and without a stem, every timestep returns the same readout and the same state."""
    before, after = before_and_after(make)
    batch = harness.images(before)
    for one, two in zip(harness.timesteps(before, batch, 4), harness.timesteps(after, batch, 4), strict=True):
        assert torch.equal(one.results[0], two.results[0])
        assert all(torch.equal(one.state[name], two.state[name]) for name in one.state)


@pytest.mark.parametrize("make", toys.SPIKING)
def test_names_of_states_and_drives_are_stable(make) -> None:
    """State keeps its names and order behind the drives; drives are ``drive``, or numbered where there are several."""
    before, after = before_and_after(make)
    states = [spec.name for spec in before.states]
    drives = inputs_of(after)[: -len(states)]

    assert after.states == before.states
    assert inputs_of(before) == ["image", *states]
    assert inputs_of(after) == [*drives, *states]
    assert drives == ["drive"] or drives == [f"drive_{i}" for i in range(len(drives))]
    assert len(drives) == len(after.stem(harness.images(after)))


def test_hoist_stem(golden) -> None:
    model = toys.toy(lambda m, x: m.head(m.relu(m.conv(x)).flatten(1)), conv=toys.conv(), relu=torch.nn.ReLU(),
                     head=torch.nn.Linear(256, 5))  # fmt: skip
    ann = harness.ann_program(model)
    golden.check(
        "hoist_stem.txt",
        format_program(run_passes(ann, spiking_passes(ann, {"relu": torch.tensor(1.0)}, Signed()))),
    )


def test_two_values_that_reach_the_neurons_are_two_drives() -> None:
    _, after = before_and_after(toys.two_drives)

    assert inputs_of(after)[:2] == ["drive_0", "drive_1"]
    first, second = after.stem(harness.images(after))
    assert first.shape == second.shape == (5, 4, 8, 8)


def test_a_relu_on_the_image_leaves_an_empty_stem() -> None:
    _, after = before_and_after(toys.relu_on_image)
    image = harness.images(after)

    (drive,) = after.stem(image)
    assert torch.equal(drive, image)


def test_a_stem_is_hoisted_once() -> None:
    _, after = before_and_after(toys.perceptron)

    with pytest.raises(PreconditionError, match="has a stem already"):
        HoistStem()(after)


@pytest.mark.parametrize(
    "name", ["drive", "drive_1", "driver", "clock", "readout", "output", "image", "score", "logits"]
)
def test_a_module_may_be_called_like_an_input_of_the_step(name: str) -> None:
    """Names that later passes give do not get into the way of the user's."""
    model = toys.toy(lambda m, x: m.get_submodule(name)(m.get_submodule("first")(x)), (7,),
                     **{"first": torch.nn.Linear(7, 5), name: torch.nn.ReLU()})  # fmt: skip
    after = harness.spiking_program(model)

    assert inputs_of(after) == ["drive", f"layer_{name}_v", f"layer_{name}_emitted"]
