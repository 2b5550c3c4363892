"""The graph is cut where time enters: the stem runs once and feeds the step at every timestep."""

import harness
import pytest
import torch
import toys
from torch import Tensor

from seenn_convert.errors import PreconditionError
from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import ConstantRow
from seenn_convert.ir.program import IMAGE, Program, format_program
from seenn_convert.ir.state import initial_state
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.hoist_stem import HoistStem
from seenn_convert.passes.sequence import spiking_passes
from seenn_convert.runtime.engine import program_step, unroll


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


def coded() -> Program:
    """Return a program in which a linear layer computes the position code from a constant."""
    draft = Draft(harness.program_of(toys.position_code))
    constant = next(node for node, module in draft.modules_of(ConstantRow))
    (user,) = constant.users
    user.replace_input_with(constant, draft.insert_after(constant, "projected", torch.nn.Linear(2, 2), [constant]))
    return draft.finish("Test")


def test_what_depends_on_an_image_that_varies_in_time_stays_in_the_step() -> None:
    """Frames through the one time loop are the step without a stem, frame by frame; the constant part runs once."""
    ann, timesteps = coded(), 5
    frames = torch.randn(timesteps, 4, *ann.input_shape, generator=torch.Generator().manual_seed(1))
    thresholds = harness.largest_activations(ann, frames.flatten(0, 1))
    insert, lower, hoist = spiking_passes(ann, thresholds, Signed(), (IMAGE,))
    before = run_passes(ann, [insert, lower])
    after = hoist(before)
    projected, runs = ann.graph_module.get_submodule("projected"), []
    handle = projected.register_forward_hook(lambda *call: runs.append(1))

    found: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        image, *constant = after.stem(frames[0])
        last = unroll(program_step(after), lambda t: (frames[t - 1], *constant), initial_state(after, 4), timesteps,
                      [lambda t, results, state: found.append(results)])  # fmt: skip
        assert len(runs) == 1
        state = initial_state(before, 4)
        for frame, results in zip(frames, found, strict=True):
            readout, *following = before.graph_module(frame, *state.values())
            state = dict(zip(state, following, strict=True))
            assert torch.equal(results[0], readout)
    handle.remove()

    assert torch.equal(image, frames[0])
    assert all(torch.equal(last[name], state[name]) for name in state)
    assert [type(module) for module in after.stem.children()] == [ConstantRow, torch.nn.Linear]
    assert {"pool", "conv", "relu", "head"} <= {node.name for node, _ in after.calls()}
    assert not torch.equal(found[0][0], found[1][0])


def test_a_still_image_is_a_frame_that_stays() -> None:
    """The program for varying images gives, for one that does not vary, what its whole stem would have given."""
    ann = coded()
    batch = harness.images(ann)
    thresholds = harness.largest_activations(ann, batch)
    still, video = (run_passes(ann, spiking_passes(ann, thresholds, Signed(), varying)) for varying in ((), (IMAGE,)))
    assert {node.name for node, _ in video.calls()} - {node.name for node, _ in still.calls()} == {"pool", "conv"}
    for one, two in zip(harness.timesteps(still, batch, 4), harness.timesteps(video, batch, 4), strict=True):
        harness.assert_same(one.results[0], two.results[0])
