"""Counts of spikes and operations are those of a run by hand."""

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.measure.instruments import CountingModel
from seenn_convert.neurons.law import if_step, signed_step
from seenn_convert.neurons.types import Group, MultiLevel, NeuronType, Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import probe_pass, spiking_passes
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

IMAGES = small.draw(20, 41)[0]


@pytest.mark.parametrize("neuron", ["if", "signed"])
def test_counts_equal_a_run_by_hand(neuron: str) -> None:
    """A spike costs macs / inputs accumulates: 3600 / 80 in conv2; the head sees what the pooling lets through."""
    model = small.model(6, neuron=neuron)
    sent: dict[str, Tensor] = {}
    counting = CountingModel(model, lambda name, output, *_: sent.update({name: output}))
    drives, state = counting.drive(IMAGES), counting.initial_state(20)
    net = small.trained_net().to(memory_format=torch.channels_last)  # the order in which the model sums
    theta = {layer.name: layer.neuron.v_threshold for layer in model.layers}
    v = {name: (0.5 * theta[name]).expand(20, 5, 4, 4) for name in theta}
    emitted = {name: torch.zeros(20, 5, 4, 4) for name in theta}

    def fire(name: str, current: Tensor) -> Tensor:
        if neuron == "if":
            output, v[name] = if_step(current, v[name], theta[name])
        else:
            output, v[name], emitted[name] = signed_step(current, v[name], emitted[name], theta[name])
        return output

    total = previous = torch.zeros(())
    for _ in range(6):
        _, _, state = counting.step(drives, state)
        first = fire("relu", drives[0])
        second = fire("relu_1", net.conv2(first))
        total = total + (first + second)
        pooled = torch.nn.functional.max_pool2d(total, 2)
        current, previous = pooled - previous, pooled
        for name, spikes in (("relu", first), ("relu_1", second)):
            assert counting.spikes[name].tolist() == [int((row != 0).sum()) for row in spikes]
            assert torch.equal(sent[name], spikes)
        assert counting.operations["conv2"].tolist() == [45.0 * int((row != 0).sum()) for row in first]
        assert counting.operations["head"].tolist() == [3.0 * int((row != 0).sum()) for row in current]
    assert set(counting.operations) == {"conv2", "head"}  # the stem is not a part of a timestep
    assert (counting.device, counting.dtype) == (model.device, model.dtype)


def test_counting_changes_no_bit() -> None:
    model = small.model(4)
    counting = CountingModel(model)
    a, b = model.initial_state(20), counting.initial_state(20)
    for _ in range(4):
        logits, score, a = model.step(model.drive(IMAGES), a)
        counted, scored, b = counting.step(counting.drive(IMAGES), b)
        assert torch.equal(logits, counted)
        assert torch.equal(score, scored)


def counted_step(neuron_type: NeuronType) -> tuple[CountingModel, Tensor]:
    """Return the counts of the first timestep of the small network, and what its first neurons sent, in units."""
    ann = small.ann_program()
    snn = run_passes(ann, [*spiking_passes(ann, small.calibration().v_thresholds(), neuron_type),
                           probe_pass(ann, CONFIDENCE, torch.ones(4))])  # fmt: skip
    model = SpikingModel(snn, 4, FixedPolicy(4))
    sent: dict[str, Tensor] = {}
    counting = CountingModel(model, lambda name, output, *_: sent.update({name: output}))
    counting.step(counting.drive(IMAGES), counting.initial_state(20))
    v_threshold = next(layer.neuron.v_threshold for layer in model.layers if layer.name == "relu")
    return counting, (sent["relu"] / v_threshold).round()


@pytest.mark.parametrize("neuron_type", [Signed(), MultiLevel(3), Group(5)])
def test_each_member_that_fires_costs_an_accumulate_and_a_power_of_two_one(neuron_type: NeuronType) -> None:
    """conv2 reads the first neurons directly: 45 operations for each spike, whatever its size, or for each unit."""
    counting, units = counted_step(neuron_type)
    each = units.abs() if isinstance(neuron_type, Group) else (units != 0).double()
    spikes = each.flatten(1).sum(1).double()

    assert counting.spikes["relu"].tolist() == spikes.tolist()
    assert counting.operations["conv2"].tolist() == pytest.approx((45 * spikes).tolist())
    assert units.abs().max() == (neuron_type.resolution if neuron_type.resolution > 1 else 1)


def test_behind_an_average_an_input_counts_as_the_spikes_of_an_output() -> None:
    """A row's mean number of spikes for each nonzero output of the neurons scales its nonzero averages."""

    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.pool, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.AvgPool2d(2), nn.Linear(64, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.pool(self.conv(x).relu()).flatten(1))

    options = Options(timesteps=2, neuron="group", neuron_levels=6, correction="none")
    model = convert(Averaged().eval(), small.dataset(), options).model()
    sent: dict[str, Tensor] = {}
    counting = CountingModel(model, lambda name, output, *_: sent.update({name: output}))
    counting.step(counting.drive(IMAGES), counting.initial_state(20))
    ((name, output),) = sent.items()
    nonzero = torch.count_nonzero(output.flatten(1), dim=1)
    inputs = torch.count_nonzero(nn.functional.avg_pool2d(output, 2).flatten(1), dim=1)

    assert (counting.spikes[name] > nonzero).all()
    expected = 3 * inputs * counting.spikes[name] / nonzero
    assert counting.operations["head"].tolist() == pytest.approx(expected.tolist())


def test_a_row_without_spikes_costs_nothing() -> None:
    counting = CountingModel(small.model(4, neuron="group"))
    counting.step([torch.full_like(drive, -9.0) for drive in counting.drive(IMAGES)], counting.initial_state(20))

    assert not counting.spikes["relu"].any() and not counting.operations["conv2"].any()
