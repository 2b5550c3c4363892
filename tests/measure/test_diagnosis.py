"""A diagnosis names the layer that breaks, the part that dominates there, and what really helps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import small_artifacts as small
import torch
from calibrating import calibrate
from torch import Tensor, nn

from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.schema.layers import Diagnosis, LayerRow
from seenn_convert.artifact.schema.provenance import Provenance
from seenn_convert.calibration.rules import MaxRule, PercentileRule
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program
from seenn_convert.ir.scores import CONFIDENCE
from seenn_convert.measure.diagnosis import BREAKS_ABOVE, diagnose
from seenn_convert.measure.diagnosis import own_error as own_error_of
from seenn_convert.measure.layers import layer_rows
from seenn_convert.measure.rate_error import PARTS
from seenn_convert.measure.remedies import Settings
from seenn_convert.neurons.types import NEURON_TYPES
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import ANN_PASSES, probe_pass, spiking_passes
from seenn_convert.report.narrative.diagnosis import diagnosis_words
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

IMAGES = small.draw(64, 3)[0]
SIGNED = Settings(timesteps=8, neuron="signed")


def row(name: str, rate_error: float | None = None, **values: Any) -> LayerRow:
    """Return a row with the given parts; the rate error is their root sum of squares where none is given."""
    parts = {part: values.pop(part, 0.0) for part in PARTS}
    total = sum(value**2 for value in parts.values()) ** 0.5 if rate_error is None else rate_error
    together = values.pop("input_error", max(parts["startup"], parts["upstream"]))
    return LayerRow(name=name, rate_error=total, error_parts=parts, input_error=together, **values)


def test_nothing_breaks_below_the_limit() -> None:
    found = diagnose([row("a", clipping=0.24), row("b", quantisation=0.2, upstream=0.9)], SIGNED)
    assert (found.breaks, found.part, found.option, found.suggestion) == (None, None, None, None)
    assert [layer.mostly for layer in found.layers] == ["clipping", "upstream"]


def test_the_first_layer_is_held_against_the_limit_alone() -> None:
    assert diagnose([row("a", clipping=0.26)], SIGNED).breaks == "a"


def test_a_layer_breaks_at_twice_the_median_before_it() -> None:
    before = [row("a", clipping=0.1), row("b", clipping=0.2), row("c", clipping=0.14)]
    assert diagnose([*before, row("d", clipping=0.27)], SIGNED).breaks is None
    assert diagnose([*before, row("d", clipping=0.29), row("e", clipping=0.9)], SIGNED).breaks == "d"


def test_what_comes_from_upstream_breaks_nothing() -> None:
    found = diagnose([row("a", quantisation=0.05), row("b", upstream=0.9, quantisation=0.1)], SIGNED)
    assert found.breaks is None


def test_a_start_that_cancels_against_upstream_is_no_error() -> None:
    """As behind a timestep bias: 90 % one way and 90 % the other make 30 %, less than the 40 % of clipping."""
    found = diagnose([row("a", 0.5, startup=0.9, upstream=0.9, input_error=0.3, clipping=0.4)], SIGNED)
    assert (found.part, found.layers[0].mostly) == ("clipping", "clipping")
    assert found.layers[0].own_error == pytest.approx(0.5)
    over = diagnose([row("a", 0.6, upstream=1.0, clipping=1.3)], SIGNED)
    assert "clipping takes 60.0% of the activation" in str(over.suggestion)
    assert diagnose([row("a", 0.1, startup=0.9, upstream=0.9, input_error=0.0)], SIGNED).breaks is None


@pytest.mark.parametrize(("part", "settings", "option", "reason"), [
    ("clipping", {}, "--threshold max", "clipping takes 50.0% of the activation of a"),
    ("clipping", {"unclipped": frozenset("a")}, None, "more calibration images"),
    ("clipping", {"unclipped": frozenset("a"), "chosen": True}, None, "more calibration images"),
    ("clipping", {"unclipped": frozenset("b"), "chosen": True}, "-T 16", "afford the larger thresholds"),
    ("quantisation", {}, "--neuron multilevel", "rounding to whole spikes makes an error of 50.0%"),
    ("quantisation", {"neuron": "if"}, "--neuron multilevel", "more levels round less"),
    ("quantisation", {"neuron": "multilevel"}, "-T 16", "rounding to whole spikes makes an error of 50.0%"),
    ("quantisation", {"neuron": "group", "timesteps": None}, "-T", "a larger -T"),
    ("unevenness", {"neuron": "if"}, "--neuron signed", "binary neurons cannot take back a spike"),
    ("startup", {"neuron": "if", "correction": "bias"}, "--neuron signed", "came late"),
    ("unevenness", {"correction": "bias"}, "--correction timestep", "the order in which input arrives"),
    ("startup", {"correction": "bias"}, "--correction timestep", "input that came late"),
    ("startup", {}, "-T 16", "instead of 8: input that came late makes an error of 50.0%"),
    ("unevenness", {}, "-T 16", "more timesteps"),
])  # fmt: skip
def test_what_helps_against_each_part(part: str, settings: Mapping[str, Any], option: str, reason: str) -> None:
    found = diagnose([row("a", **{part: 0.5})], replace(SIGNED, **settings))
    assert (found.breaks, found.part, found.option) == ("a", part, option)
    assert found.suggestion is not None and reason in found.suggestion and (option or "") in found.suggestion
    json_text(found)


def test_mostly_dead_channels_point_at_the_calibration_data() -> None:
    healthy = row("a", clipping=0.1, channels=8, dead_channels=0)
    dead = {"channels": 4, "dead_channels": 3}
    assert diagnose([healthy, row("b", clipping=0.1, **dead)], SIGNED).suggestion is None
    broken = diagnose([healthy, row("b", clipping=0.9, **dead)], SIGNED)
    assert (broken.breaks, broken.part, broken.option) == ("b", "dead", None)
    assert "3 of 4 channels of b" in str(broken.suggestion)
    everywhere = diagnose([row("a", **dead), row("b", **dead)], SIGNED)
    assert (everywhere.breaks, everywhere.part) == (None, "dead")
    assert "6 of 8 channels were positive" in str(everywhere.suggestion)


@pytest.mark.parametrize("rows", [[], [LayerRow(name="a")], [LayerRow(name="a", rate_error=2.0)],
                                  [LayerRow(name="a", error_parts={"x": 1.0})]])  # fmt: skip
def test_without_the_parts_nothing_is_said(rows: list[LayerRow]) -> None:
    found = diagnose(rows, Settings())
    assert (found.breaks, found.suggestion) == (None, None)
    assert not any(layer.parts for layer in found.layers)


def test_an_older_report_is_read_without_what_it_lacks() -> None:
    older = LayerRow(name="a", rate_error=0.5, error_parts={"clipping": 0.5, "startup": 0.1})
    found = diagnose([older], Settings())
    assert (found.breaks, found.option, found.layers[0].channels) == ("a", "--threshold max", None)


def test_the_settings_are_those_of_the_artifact() -> None:
    artifact = small.artifact()
    found, thresholds = Settings.of(artifact), artifact.provenance.calibration.thresholds
    assert (found.timesteps, found.neuron, found.correction, found.chosen) == (8, "signed", "timestep", True)
    assert found.unclipped == {name for name, layer in thresholds.layers.items() if not layer.clipped_share}
    assert Settings.of(replace(artifact, provenance=Provenance())) == Settings(timesteps=8)
    largest = convert(small.source(), small.dataset(), Options(timesteps=2, rule=MaxRule(), calibration="fast"))
    assert Settings.of(largest) == Settings(2, "signed", "bias", False, frozenset(thresholds.layers))


class Chain(nn.Module):
    """Four layers of random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(64 if i == 0 else 24, 24) for i in range(4))
        self.head = nn.Linear(24, 3)
        generator = torch.Generator().manual_seed(3)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=2 / layer.in_features**0.5, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)


def diagnosed(
    ann: Program, images: Tensor, timesteps: int = 16, neuron: str = "signed", factors: Mapping[str, float] = {}
) -> Diagnosis:
    """Diagnose a network whose thresholds are the largest activations times ``factors``, without timestep biases."""
    v_thresholds = calibrate(ann, [images], MaxRule()).v_thresholds()
    scaled = {name: value * factors.get(name, 1.0) for name, value in v_thresholds.items()}
    spiking = run_passes(ann, spiking_passes(ann, scaled, NEURON_TYPES[neuron]))
    model = SpikingModel(
        run_passes(spiking, [probe_pass(ann, CONFIDENCE, torch.ones(timesteps))]), timesteps,
        ThresholdPolicy("confidence", (2.0,) * timesteps),
    )  # fmt: skip
    return diagnose(layer_rows(ann, model, images), Settings(timesteps, neuron))


def own_error(found: Diagnosis, name: str) -> float:
    return next(layer.own_error for layer in found.layers if layer.name == name and layer.own_error is not None)


def test_a_layer_with_thresholds_far_too_small_or_large_is_named_and_the_remedy_helps() -> None:
    ann = run_passes(from_torch(Chain().eval(), small.SHAPE), ANN_PASSES)
    healthy = diagnosed(ann, IMAGES)
    small_ones = diagnosed(ann, IMAGES, factors={"relu_2": 0.1})
    large_ones = diagnosed(ann, IMAGES, factors={"relu_1": 12.0})
    finer = diagnosed(ann, IMAGES, neuron="multilevel", factors={"relu_1": 12.0})

    assert healthy.breaks is None
    assert (small_ones.breaks, small_ones.part, small_ones.option) == ("relu_2", "clipping", "--threshold max")
    assert own_error(healthy, "relu_2") < own_error(small_ones, "relu_2") / 4
    saturated = [found.layers[2].saturated_channels or 0 for found in (healthy, small_ones)]
    assert saturated[0] == 0 and saturated[1] > 12
    assert (large_ones.breaks, large_ones.part, large_ones.option) == ("relu_1", "quantisation", "--neuron multilevel")
    assert own_error(finer, "relu_1") < own_error(large_ones, "relu_1")


class Order(nn.Module):
    """Sums of equally many spikes for and against: sixteen inputs in quarters, twelve outputs of 0, 1/4 or 1/2."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(16, 16, bias=False), nn.Linear(16, 12), nn.Linear(12, 3)
        signs = torch.randint(0, 2, (12, 16), generator=torch.Generator().manual_seed(0)) * 2.0 - 1
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(16))
            self.second.weight.copy_(signs)
            self.second.bias.copy_(0.5 - (images.flatten(1) @ signs.T).amax(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(x.flatten(1)).relu()).relu())


def test_binary_neurons_that_suffer_from_the_order_of_arrival() -> None:
    """Every mean is a whole number of spikes in eight steps, so unevenness is all the error there can be."""
    images = torch.randint(0, 5, (64, 1, 4, 4), generator=torch.Generator().manual_seed(1)) / 4.0
    ann = run_passes(from_torch(Order(images).eval(), (1, 4, 4)), ANN_PASSES)
    binary, signed = (diagnosed(ann, images, 8, neuron) for neuron in ("if", "signed"))

    assert (binary.breaks, binary.part, binary.option) == ("relu_1", "unevenness", "--neuron signed")
    assert own_error(binary, "relu_1") == pytest.approx(binary.layers[1].parts["unevenness"], rel=1e-3)
    assert own_error(signed, "relu_1") < own_error(binary, "relu_1")


@pytest.mark.slow
def test_following_the_suggestion_makes_the_error_of_a_whole_conversion_fall() -> None:
    """Medians as thresholds clip; with the option that the diagnosis names, the layer does not break any more."""
    data, images = small.dataset(), small.draw(64, 71)[0]

    def found(rule: MaxRule | PercentileRule) -> Diagnosis:
        artifact = convert(small.source(), data, Options(timesteps=16, rule=rule))
        return diagnose(layer_rows(artifact.ann, artifact.model(), images), Settings.of(artifact))

    before = found(PercentileRule(50.0))
    assert (before.part, before.option) == ("clipping", "--threshold max")
    after = found(MaxRule())
    assert after.breaks != before.breaks
    assert own_error(after, str(before.breaks)) < min(own_error(before, str(before.breaks)) / 2, BREAKS_ABOVE)


def test_an_error_beyond_all_measure_does_not_overflow() -> None:
    """A report edited by hand may hold any finite number."""
    assert own_error_of({"clipping": 1e308, "quantisation": -1e308}, 0.5) == 0.5


def test_a_network_that_was_trained_further_has_no_layer_that_breaks() -> None:
    rows = [row("first", clipping=0.1), row("second", clipping=0.6)]
    assert diagnose(rows, SIGNED).breaks == "second"
    found = diagnose(rows, replace(SIGNED, trained=True))
    assert (found.breaks, found.part, found.option, found.suggestion) == (None, None, None, None)
    assert "trained further" in diagnosis_words(found)
