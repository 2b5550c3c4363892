"""Graded values become spikes in front of every layer with weights that no spikes reach."""

from typing import Any

import harness
import pytest
import toys
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.ir.operators import Encode
from seenn_convert.ir.program import Program, format_program
from seenn_convert.neurons.layers import EncodingNeuron, GroupEncoder, MultiLevelEncoder, Neuron, TrackingEncoder
from seenn_convert.neurons.types import Group, MultiLevel, NeuronType, Signed, Tracking
from seenn_convert.passes.insert_encoders import InsertEncoders
from seenn_convert.passes.sequence import encoding_passes


def smooth() -> toys.Toy:
    """A network without a ReLU: gates, a residual sum, and one value that two layers read."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.silu(m.first(x))
        x = x + m.second(x) * F.sigmoid(m.gate(x))
        return m.head(F.gelu(x).mean((2, 3)))

    return toys.toy(body, first=toys.conv(), second=toys.conv(4), gate=toys.conv(4), head=nn.Linear(4, 5))


def mixed() -> toys.Toy:
    """Spikes reach one layer through a pooling and a sum, graded values another."""

    def body(m: Any, x: Tensor) -> Tensor:
        x = F.relu(m.first(x))
        y = m.second(F.avg_pool2d(x, 2) + F.avg_pool2d(x, 2))
        return m.head(F.gelu(y).flatten(1))

    return toys.toy(body, first=toys.conv(), second=toys.conv(4), head=nn.Linear(64, 5))


def encoders(program: Program) -> list[str]:
    return [node.name for node, module in program.calls() if isinstance(module, Encode)]


def test_insert_encoders(golden) -> None:
    golden.check("insert_encoders.txt", format_program(harness.check_pass(InsertEncoders(), smooth())))


def test_one_encoder_for_each_value_that_layers_read() -> None:
    program = InsertEncoders()(harness.as_program(smooth()))

    assert encoders(program) == ["silu_encode", "mean_encode"]
    assert program.history[-1].declined == (("first", "it reads the image"),)


def test_where_spikes_arrive_already_it_declines() -> None:
    """Through sums, pools and views spikes stay spikes."""
    program = harness.check_pass(InsertEncoders(), harness.ann_program(mixed()))

    assert encoders(program) == ["flatten_encode"]
    assert dict(program.history[-1].declined) == {
        "first": "it reads the image",
        "second": "spikes arrive there already",
    }


@pytest.mark.parametrize("make", toys.SPIKING)
@pytest.mark.parametrize(("neuron_type", "enough"), [(Signed(), 1 / 3), (MultiLevel(), 1 / 2)])
def test_a_network_that_spikes_needs_none_unless_asked(make, neuron_type: NeuronType, enough: float) -> None:
    """By itself nothing is encoded where spikes drive enough of it, or encoders would add none; asked, it is."""
    ann = harness.ann_program(harness.program_of(make))
    share, most = (spiking_share(call_sites(one)) for one in (ann, InsertEncoders()(ann)))

    passes = [one.name for one in encoding_passes(ann, "auto", neuron_type)]
    assert passes == ["InsertEncoders"] * (share < min(enough, most))
    assert encoding_passes(ann, "never") == ()
    assert [one.name for one in encoding_passes(ann, "always")] == ["InsertEncoders"]


def test_what_spikes_of_one_size_leave_graded_larger_ones_encode() -> None:
    """A narrow layer without activation: of 376 multiply-accumulates spikes drive those in front of it and the last."""

    def body(m: Any, x: Tensor) -> Tensor:
        return m.head(F.relu(m.expand(m.project(F.relu(m.stem(x))))))

    layers = {
        "stem": nn.Linear(2, 16),
        "project": nn.Linear(16, 8),
        "expand": nn.Linear(8, 24),
        "head": nn.Linear(24, 1),
    }
    ann = harness.ann_program(toys.toy(body, (2,), **layers))

    assert spiking_share(call_sites(ann)) == pytest.approx((16 * 8 + 24) / 376)
    assert encoding_passes(ann, "auto", Signed()) == ()
    assert [one.name for one in encoding_passes(ann, "auto", MultiLevel())] == ["InsertEncoders"]


def test_a_network_without_relu_is_encoded_by_itself() -> None:
    ann = harness.ann_program(smooth())

    assert [one.name for one in encoding_passes(ann, "auto")] == ["InsertEncoders"]
    assert encoding_passes(ann, "never") == ()


@pytest.mark.parametrize(("neuron_type", "layer"), [(Signed(), EncodingNeuron), (Tracking(64), TrackingEncoder),
                                             (MultiLevel(6), MultiLevelEncoder), (Group(32), GroupEncoder)])  # fmt: skip
def test_a_network_without_relu_spikes_and_converges(neuron_type: NeuronType, layer: type[Neuron]) -> None:
    """Its mean readout tends to the ANN's, with the error falling as 1 / t."""
    ann = InsertEncoders()(harness.ann_program(smooth()))
    snn = harness.spiking_program(ann, neuron_type)
    assert {type(module) for _, module in snn.calls() if isinstance(module, Neuron)} == {layer}
    batch, total, errors = harness.images(ann), 0.0, {}
    for t, step in enumerate(harness.timesteps(snn, batch, 256), start=1):
        total = total + step.results[0]
        errors[t] = harness.relative_error(total / t, ann(batch))

    assert errors[256] < 0.02
    assert errors[256] < errors[16] / 4
