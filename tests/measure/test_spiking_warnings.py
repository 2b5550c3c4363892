"""A network of which little spikes, or that takes more energy than its ANN, says so, where, and what helps."""

import harness
import pytest
import small_artifacts as small
import torch
import toys
from torch import nn
from torch.nn import functional as F

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.ir.program import Program
from seenn_convert.measure.spiking_warnings import few_spikes, more_energy
from seenn_convert.neurons.types import Binary, NeuronType, Signed
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.carry_depthwise import CarryDepthwise
from seenn_convert.passes.insert_encoders import InsertEncoders
from seenn_convert.passes.keep_front import KeepFront
from seenn_convert.passes.sequence import encoding_passes, spiking_passes
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


def mostly_smooth() -> toys.Toy:
    """Return a network of SiLUs with one ReLU, in front of a small layer."""
    torch.manual_seed(0)
    layers = {name: nn.Linear(16, 16) for name in ("second", "third")}
    return toys.toy(
        lambda m, x: m.head(F.silu(m.third(F.silu(m.second(F.silu(m.wide(F.relu(m.first(x))))))))),
        (4,), first=nn.Linear(4, 2), wide=nn.Linear(2, 16), **layers, head=nn.Linear(16, 3),
    )  # fmt: skip


def warned(ann: Program, neuron: NeuronType = Signed()) -> list[Caution]:
    thresholds = harness.largest_activations(ann, harness.images(ann))
    snn = run_passes(ann, spiking_passes(ann, thresholds, neuron))
    return list(few_spikes(ann, snn, call_sites(ann)))


def test_auto_encodes_a_network_with_one_relu() -> None:
    """What counts is the share that spikes drive, not that there is a ReLU."""
    ann = harness.ann_program(mostly_smooth())
    passes = encoding_passes(ann, "auto", Signed())

    assert spiking_share(call_sites(ann)) < 0.1
    assert spiking_share(call_sites(run_passes(ann, passes))) > 0.9


def test_auto_leaves_neurons_that_cannot_encode_as_they_are() -> None:
    ann = harness.ann_program(mostly_smooth())
    assert encoding_passes(ann, "auto", Binary()) == ()
    (warning,) = warned(ann, Binary())
    assert "--neuron signed and --encode always" in warning.text


def test_the_warning_names_the_layers_and_what_helps() -> None:
    (warning,) = warned(harness.ann_program(mostly_smooth()))

    assert warning.code == "few_spikes"
    for words in ("spikes drive only", "second (", "behind silu", "--encode always", "--require-spiking"):
        assert words in warning.text


def test_the_advice_works() -> None:
    ann = harness.ann_program(mostly_smooth())
    assert warned(run_passes(ann, [InsertEncoders()])) == []


def test_graded_depthwise_convolutions_are_named_and_can_spike() -> None:
    """Where they are most of a network, encoders in front of the other layers would not help."""
    model = toys.toy(
        lambda m, x: m.head(F.relu(m.depthwise(F.relu(m.point(F.relu(m.stem(x)))))).mean((2, 3))),
        stem=nn.Conv2d(3, 8, 1), point=nn.Conv2d(8, 8, 1), depthwise=nn.Conv2d(8, 8, 5, groups=8, padding=2),
        head=nn.Linear(8, 3),
    )  # fmt: skip
    before = harness.ann_program(model)
    (warning,) = warned(CarryDepthwise()(before))

    assert "depthwise (" in warning.text and "behind ReLU (graded)" in warning.text
    assert "--depthwise spiking" in warning.text and "--encode" not in warning.text
    assert warned(before) == []


def test_encoding_is_not_advised_where_it_helps_nothing() -> None:
    """All that is left reads the image."""
    model = toys.toy(lambda m, x: m.head(F.relu(m.conv(x)).mean((2, 3))), conv=toys.conv(), head=nn.Linear(4, 3))
    (warning,) = warned(harness.ann_program(model))

    assert "run once" in warning.text and "--encode" not in warning.text


@pytest.mark.parametrize("make", [toys.pool_between_neurons, toys.residual])
def test_a_network_of_relus_is_not_warned_of(make) -> None:
    ann = harness.ann_program(harness.program_of(make))
    assert warned(ann) == [] or spiking_share(call_sites(ann)) < 0.5


def test_more_energy_than_the_ann() -> None:
    ann = harness.ann_program(mostly_smooth())
    (warning,) = more_energy(ann, ThreeRuns(ann=2.0, all_timesteps=9.0, early_exit=3.0), "these images")

    assert warning.code == "more_energy" and "1.5 times" in warning.text and "--encode always" in warning.text
    assert list(more_energy(ann, ThreeRuns(ann=2.0, all_timesteps=9.0, early_exit=1.9), "these images")) == []


def test_where_only_the_front_does_not_spike_the_advice_is_about_the_front() -> None:
    """All that does not spike runs once: encoders would take back what was asked for."""
    chain = toys.toy(
        lambda m, x: m.head(F.relu(m.second(F.relu(m.first(x))))),
        (4,), first=nn.Linear(4, 16), second=nn.Linear(16, 16), head=nn.Linear(16, 3),
    )  # fmt: skip
    ann = KeepFront(1)(harness.ann_program(chain))
    (warning,) = warned(ann)

    assert "--front none" in warning.text
    assert "--encode" not in warning.text and "no option" not in warning.text


def test_giving_up_the_front_is_advised_only_if_it_could_suffice() -> None:
    """All that it can save are the multiply-accumulates that run once, at most as much as the ANN takes."""
    ann = KeepFront(1)(harness.ann_program(harness.program_of(toys.residual)))
    for energy, advised in ((2.01, True), (9.0, False)):
        (warning,) = more_energy(ann, ThreeRuns(ann=2.0, all_timesteps=9.0, early_exit=energy), "these images")
        assert ("--front none" in warning.text) == advised


def test_the_advice_about_energy_fits_the_network() -> None:
    encoded = InsertEncoders()(harness.ann_program(mostly_smooth()))
    (warning,) = more_energy(encoded, ThreeRuns(ann=2.0, all_timesteps=9.0, early_exit=3.0), "these images")

    assert "--encode" not in warning.text and "-T" in warning.text


def test_a_conversion_says_so() -> None:
    """Graded values cost a multiplication at every timestep."""

    class Smooth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 4), nn.ReLU(),
                nn.Linear(4, small.CLASSES),
            )  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    torch.manual_seed(0)
    options = Options(timesteps=8, calibration="fast", encode="never", correction="none")
    codes = [one.code for one in convert(Smooth().eval(), small.dataset(40), options).report.conversion.warnings]
    assert "few_spikes" in codes
