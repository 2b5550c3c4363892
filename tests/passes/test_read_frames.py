"""Input that varies in time: the ANN sees the mean of the frames, the SNN one frame at each timestep."""

import harness
import pytest
import torch
import toys

from seenn_convert.analysis.front import cuts
from seenn_convert.analysis.time_invariance import time_invariant_calls
from seenn_convert.frontend.frames import mean_in_front
from seenn_convert.ir.operators import MeanOverFrames
from seenn_convert.ir.operators.step import FrameAt
from seenn_convert.neurons.types import Tracking
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy, ThresholdPolicy

FRAMES = 3
TOYS = [toys.residual, toys.pool_between_neurons, toys.perceptron, toys.standing_batch_norm, toys.signal]


def of_recordings(make):
    return mean_in_front(harness.program_of(make), FRAMES)


def test_each_row_reads_the_frame_of_its_own_timestep_and_begins_again() -> None:
    frames = torch.arange(12.0).reshape(3, 4, 1)

    read = FrameAt()(frames, torch.tensor([0.0, 3.0, 6.0]))

    assert read.flatten().tolist() == [0, 4 + 3, 8 + 2]  # row 2 has done 6 steps: the third of 4 frames, again


@pytest.mark.parametrize("make", TOYS)
def test_the_ann_of_a_recording_is_that_of_its_mean_frame(make) -> None:
    before, after = harness.program_of(make), of_recordings(make)
    batch = harness.images(after)

    assert after.input_shape == (FRAMES, *before.input_shape)
    harness.assert_same(after(batch), before(batch.mean(1)))


@pytest.mark.parametrize("make", TOYS)
def test_all_that_reads_frames_varies_in_time(make) -> None:
    """The stem hands the frames on and computes nothing of them; nothing of the front can be kept analog."""
    ann = harness.ann_program(of_recordings(make))
    snn = harness.spiking_program(of_recordings(make))

    assert [node.op for node in snn.stem.graph.nodes if node.op == "call_module"] == []
    assert not any(isinstance(module, MeanOverFrames) for _, module in snn.calls())
    assert time_invariant_calls(ann) == set()
    assert [cut.activations for cut in cuts(ann)] == [0]
    batch = harness.images(snn)
    assert torch.equal(snn.stem(batch)[0], batch)


@pytest.mark.parametrize("make", TOYS)
def test_whole_cycles_of_frames_converge_to_the_ann_of_the_mean(make) -> None:
    """Without rounding the mean readout after each cycle of N timesteps is the ANN's of the mean frame, and tends to it."""
    ann = harness.ann_program(of_recordings(make))
    snn = harness.spiking_program(ann, Tracking(64))
    batch, total, errors = harness.images(ann), 0.0, {}
    for t, step in enumerate(harness.timesteps(snn, batch, 40 * FRAMES), start=1):
        total = total + step.results[0]
        errors[t] = harness.relative_error(total / t, ann(batch))

    assert errors[40 * FRAMES] < 0.005
    assert errors[40 * FRAMES] < errors[4 * FRAMES] / 4


def test_rows_are_independent_and_read_frames_of_their_own_age() -> None:
    """Rows are refilled and removed on the way, and each recording gives the same bits as with all others beside it."""
    recordings = harness.images(of_recordings(toys.residual), 40)
    model = harness.spiking_model(of_recordings(toys.residual), recordings, 7)
    scores = run_early_exit(model, [recordings], 40, FixedPolicy(2)).confidence
    policy = ThresholdPolicy("confidence", (float(scores.median()),))

    together = run_early_exit(model, [recordings], 40, policy)
    refilled = run_early_exit(model, recordings.flip(0).split(7), 17, policy)

    assert len(set(together.exit_step.tolist())) > 2
    assert torch.equal(together.exit_step, refilled.exit_step.flip(0))
    assert torch.equal(together.logits, refilled.logits.flip(0))
