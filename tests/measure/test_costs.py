"""Costs are the counts of the run, up to where each image left."""

from dataclasses import replace

import harness
import pytest
import small_artifacts as small
import torch
import toys
from torch import nn

from seenn_convert.analysis.coverage import call_sites, graded_depthwise, graded_skips
from seenn_convert.artifact.schema.evaluation import TwoRuns
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.measure.costs import (
    Counts,
    costs,
    expected_energy,
    graded_additions,
    operation_shares,
    run_counted,
)
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.neurons.types import Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.carry_skips import CarrySkips
from seenn_convert.passes.sequence import probe_pass, spiking_passes
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

IMAGES = small.draw(30, 51)[0]


def test_counts_add_up_step_by_step_whatever_the_batches() -> None:
    model = small.model(5)
    done: list[int] = []
    run, counts = run_counted(model, IMAGES.split(7), done.append)
    counting = CountingModel(model)
    drives, state = counting.drive(IMAGES), counting.initial_state(30)
    spikes, accumulates, by_layer = torch.zeros(30), torch.zeros(30), {"conv2": 0.0, "head": 0.0}
    for t in range(5):
        _, _, state = counting.step(drives, state)
        spikes = spikes + sum(counting.spikes.values())
        accumulates = accumulates + sum(counting.operations.values())
        assert torch.equal(counts.spikes[t].float(), spikes.float())
        assert torch.equal(counts.accumulates[t].float(), accumulates.float())
        for name in by_layer:
            by_layer[name] += float(counting.operations[name].mean())
    assert counts.by_layer == pytest.approx(by_layer)
    assert done == [7, 7, 7, 7, 2]
    assert run.predictions.shape == (5, 30)


def test_costs_by_hand() -> None:
    """Two images that leave after 1 and 3 steps: (10 + 60) / 2 operations; the stem is paid once, the ANN has all.

    A fifth of the operations are caused by graded values and cost multiplications.
    """
    total = torch.tensor([[10.0, 20.0], [15.0, 40.0], [30.0, 60.0]])
    counts = Counts(total / 10, total, total / 5, {})
    operations, energy = costs(small.ann_program(), counts, torch.tensor([1, 3]))
    assert (operations.ann_macs, operations.stem_macs) == (2880 + 3600 + 60, 2880)
    assert operations.synaptic_operations == TwoRuns(all_timesteps=45.0, early_exit=35.0)
    assert operations.graded_operations == TwoRuns(all_timesteps=9.0, early_exit=7.0)
    assert vars(operations.spikes) == pytest.approx({"all_timesteps": 4.5, "early_exit": 3.5})
    assert vars(energy.nanojoule_per_image) == pytest.approx({
        "ann": 6540 * 4.6e-3,
        "all_timesteps": (2880 + 9) * 4.6e-3 + 36 * 0.9e-3,
        "early_exit": (2880 + 7) * 4.6e-3 + 28 * 0.9e-3,
    })  # fmt: skip
    assert any("zeros of padding" in words for words in energy.assumptions)


def test_shares_go_to_the_layers_whose_spikes_cause_the_work() -> None:
    """conv2 reads relu alone; the head reads, through the pooling, the sum of both layers: half each."""
    nothing = torch.zeros(1, 1)
    shares = operation_shares(small.artifact(), Counts(nothing, nothing, nothing, {"conv2": 30.0, "head": 10.0}))
    assert shares == pytest.approx({"relu": 0.875, "relu_1": 0.125})
    assert operation_shares(small.artifact(), Counts(nothing, nothing, nothing, {})) == {}


def test_a_network_without_weights_after_its_neurons() -> None:
    class AllStem(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x).relu().mean(dim=(2, 3))

    artifact = convert(AllStem().eval(), small.dataset(), Options(timesteps=3))
    _, counts = run_counted(artifact.model(), [IMAGES], lambda count: None)
    assert not counts.accumulates.any()
    assert counts.spikes[-1].sum() > 0
    assert operation_shares(replace(artifact), counts) == {}


def test_every_graded_value_of_a_skip_connection_is_an_addition() -> None:
    ann = CarrySkips()(harness.ann_program(toys.residual()))
    snn = run_passes(ann, spiking_passes(ann, harness.largest_activations(ann, harness.images(ann)), Signed()))

    assert graded_additions(snn) == graded_skips(ann)["values"] > 0
    assert graded_additions(harness.spiking_program(toys.residual())) == 0


def test_graded_values_that_a_depthwise_convolution_reads_are_multiplied_and_not_added() -> None:
    """Each value that is not zero meets the 9 weights of its channel, at every timestep."""
    model = toys.toy(
        lambda m, x: m.head(torch.relu(m.depthwise(torch.relu(m.expand(torch.relu(m.stem(x)))))).mean((2, 3))),
        stem=toys.conv(), expand=nn.Conv2d(4, 4, 1), depthwise=nn.Conv2d(4, 4, 3, groups=4, stride=3),
        head=nn.Linear(4, 5),
    )  # fmt: skip
    ann = CarryDepthwise()(harness.ann_program(model))
    snn = run_passes(ann, spiking_passes(ann, harness.largest_activations(ann, harness.images(ann)), Signed()))
    spiking = SpikingModel(run_passes(snn, [probe_pass(ann, CONFIDENCE, torch.ones(2))]), 2, FixedPolicy(2))
    _, counts = run_counted(spiking, [harness.images(ann)], lambda count: None)

    assert graded_additions(snn) == 0
    assert graded_depthwise(ann) == (1, next(s.share for s in call_sites(ann) if s.name == "depthwise"))
    sent = [step.values["relu_1_out"] for step in harness.timesteps(snn, harness.images(ann), 2)]
    nonzero = torch.stack([torch.count_nonzero(values.flatten(1), dim=1) for values in sent]).cumsum(0)
    macs = next(s.macs for s in call_sites(ann) if s.name == "depthwise")
    assert torch.allclose(counts.multiplies, nonzero.double() * macs / sent[0][0].numel())


def test_the_expected_energy_weighs_timesteps_by_all_images_that_leave_there() -> None:
    """Two images were counted: 12.5, 27.5 and 45 operations up to t; of 4 images 3 leave at 1 and one at 3."""
    total = torch.tensor([[10.0, 15.0], [15.0, 40.0], [30.0, 60.0]])
    energy = expected_energy(small.ann_program(), Counts(total / 10, total, total / 5, {}), (3, 0, 1))
    operations = (3 * 12.5 + 45) / 4
    assert energy.early_exit == pytest.approx((2880 + 0.2 * operations) * 4.6e-3 + 0.8 * operations * 0.9e-3)
    assert energy.all_timesteps == pytest.approx((2880 + 9) * 4.6e-3 + 36 * 0.9e-3)
