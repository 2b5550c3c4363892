"""The warnings of a conversion name what weakens its result."""

import pytest
import small_artifacts as small
from torch import Tensor, nn

from seenn_convert.calibration.calibration import Calibration, LayerCalibration
from seenn_convert.calibration.rules import MaxRule, ScaledRule
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.cautions import channel_cautions
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


def test_warnings_say_what_weakens_the_result() -> None:
    data = small.dataset(40, labelled=False)
    warned = convert(small.source(), data, Options(timesteps=2, target=ExitTarget(drop=0.0)))
    warnings = small.warnings(warned.report)
    assert "no labels" in warnings
    assert "only 16 held-out images" in warnings
    reached = warned.report.conversion.exit.held_out.reached
    assert ("not reached" in warnings) is not reached


class MostlySilent(nn.Module):
    """Three ReLUs, of which the first ``silent`` never fire."""

    def __init__(self, silent: int) -> None:
        super().__init__()
        self.silent, self.head = silent, nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for _ in range(self.silent):
            x = x + (-x.abs() - 1).relu()
        for _ in range(3 - self.silent):
            x = (x + 1).relu()
        return self.head(x)


@pytest.mark.slow
def test_activations_that_mostly_never_fire_are_a_warning() -> None:
    """A trained gain of zero may silence a branch, wrong preprocessing a network; the user can tell."""
    found = {
        silent: small.warnings(convert(MostlySilent(silent).eval(), small.dataset(40)).report) for silent in (1, 2)
    }
    assert "2 of 3 activations never fire on the calibration images; check the preprocessing" in found[2]
    assert "never fire" not in found[1]


def test_an_ann_that_is_right_by_chance_is_a_warning() -> None:
    """Wrong preprocessing or forgotten weights: the exits look perfect, as the spiking network errs alike."""
    pixels, labels = small.draw(96, 1)
    options = Options(timesteps=2, calibration="fast")
    right = convert(small.source(), small.as_dataset(pixels, labels), options)
    wrong = convert(small.source(), small.as_dataset(pixels, (labels + 1) % small.CLASSES), options)
    assert "little more than chance" not in small.warnings(right.report)
    assert "little more than chance" not in small.warnings(wrong.report)  # it is less
    assert "check the order of the classes (--class-names) and the labels first" in small.warnings(wrong.report)
    share = wrong.report.conversion.exit.held_out.reference
    assert small.warnings(wrong.report).startswith(f"the ANN is right on only {share:.1%} of the held-out")


def test_a_drop_that_nobody_asked_for_is_a_warning() -> None:
    """One timestep of binary neurons loses some points, which a target in timesteps does not forbid."""
    options = Options(timesteps=1, neuron="if", calibration="fast", target=ExitTarget(timesteps=1))
    lossy = convert(small.source(), small.dataset(), options)
    exact = convert(small.source(), small.dataset(), Options(timesteps=32, neuron="tracking"))
    for artifact, expected in ((lossy, True), (exact, False)):
        drop = artifact.report.conversion.exit.held_out.expected_drop
        assert (drop > 2) is expected
        assert ("large_drop" in [one.code for one in artifact.report.conversion.warnings]) is expected


@pytest.mark.parametrize(("neuron", "wider"), [("if", True), ("multilevel-unsigned", False)])
def test_a_large_drop_names_neurons_of_several_levels_only_if_they_are_others(neuron: str, wider: bool) -> None:
    options = Options(
        timesteps=1, neuron=neuron, neuron_levels=None if wider else 2, calibration="fast", correction="none",
        rule=ScaledRule(MaxRule(), 8.0), target=ExitTarget(timesteps=1),
    )  # fmt: skip
    report = convert(small.source(), small.dataset(60, labelled=False), options).report
    (told,) = [one.text for one in report.conversion.warnings if one.code == "large_drop"]
    assert ("--neuron multilevel" in told) is wider


@pytest.mark.parametrize(
    ("per_channel", "words"),
    [(True, ": relu (2 of 3 channels), other (1 of 2 channels)"), (False, ": relu (2), other (1)")],
)
def test_dead_channels_are_told_with_how_many_there_are(per_channel: bool, words: str) -> None:
    layers = {
        "relu": LayerCalibration((1.0, 1.0, 1.0), maximum=1.0, firing_share=0.5, dead_channels=(0, 2)),
        "fine": LayerCalibration((1.0, 1.0), maximum=1.0, firing_share=0.5, dead_channels=()),
        "other": LayerCalibration((1.0, 1.0), maximum=1.0, firing_share=0.5, dead_channels=(1,)),
    }
    (told,) = channel_cautions(Calibration("max", per_channel, 8, layers))
    assert told.code == "dead_channels" and told.text.endswith(words)


@pytest.mark.parametrize(("neuron", "wider"), [("signed", True), ("multilevel", False)])
def test_a_missed_target_names_what_helps(neuron: str, wider: bool) -> None:
    """One timestep cannot give the ANN's own answers; neurons of several levels need fewer, if they are not there yet."""
    options = Options(timesteps=1, neuron=neuron, calibration="fast", target=ExitTarget(drop=0.0))
    report = convert(small.source(), small.dataset(60, labelled=False), options).report
    (told,) = [one.text for one in report.conversion.warnings if one.code == "target_not_reached"]
    assert ("--neuron multilevel" in told) is wider
    assert "--explore" in told and "raise -T" in told


def test_of_many_layers_with_dead_channels_the_worst_are_named() -> None:
    layers = {
        f"relu_{dead}": LayerCalibration((1.0,) * 9, maximum=1.0, firing_share=0.5, dead_channels=tuple(range(dead)))
        for dead in (1, 2, 3, 4, 5, 6)
    }
    (told,) = channel_cautions(Calibration("max", True, 8, layers))
    assert told.text.endswith(
        ": relu_6 (6 of 9 channels), relu_5 (5 of 9 channels), relu_4 (4 of 9 channels), relu_3 (3 of 9 channels), and "
        "3 channels of 2 other layers"
    )
