"""A calibration is a value: thresholds for every activation, plain data, and an error where nothing fires."""

import json

import pytest
import small_artifacts as small
import torch
from calibrating import calibrate
from torch import nn

from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.calibration.calibration import Calibration, from_statistics
from seenn_convert.calibration.rules import MaxRule, MseRule, PercentileRule, ScaledRule, ThresholdRule
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import CalibrationDataError
from seenn_convert.frontend.torch.read import from_torch
from seenn_convert.ir.program import Program


class Biased(nn.Module):
    """Two layers whose pre-activations are the given biases for a black image."""

    def __init__(self, first: list[float], second: list[float]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, len(first)), nn.Linear(len(first), len(second))
        with torch.no_grad():
            for layer, bias in ((self.first, first), (self.second, second)):
                layer.weight.zero_()
                layer.bias.copy_(torch.tensor(bias))
        self.head = nn.Linear(len(second), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(x.flatten(1)).relu()).relu())


def biased(first: list[float], second: list[float]) -> Program:
    return from_torch(Biased(first, second).eval(), small.SHAPE)


BLACK = [torch.zeros(4, *small.SHAPE)]


@pytest.mark.parametrize("rule", [MaxRule(), PercentileRule(), MseRule()])
@pytest.mark.parametrize("per_channel", [True, False])
def test_every_threshold_is_positive(rule: ThresholdRule, per_channel: bool) -> None:
    found = calibrate(small.ann_program(), [small.draw(64, 2)[0]], rule, per_channel)
    thresholds = found.v_thresholds()
    assert list(thresholds) == ["relu", "relu_1"]
    assert all(value.shape == ((5,) if per_channel else ()) for value in thresholds.values())
    assert all(bool((value > 0).all()) for value in thresholds.values())
    assert found.images == 64
    assert found.rule == rule.name


def test_a_dead_channel_carries_the_largest_threshold_of_its_layer() -> None:
    found = calibrate(biased([1.0, -1.0, 3.0, 0.0], [2.0, 1.0]), BLACK, MaxRule())
    first, second = found.layers.values()
    assert first.v_threshold == (1.0, 3.0, 3.0, 3.0)
    assert first.dead_channels == (1, 3)
    assert first.maximum == 3.0
    assert first.firing_share == 0.5
    assert second.dead_channels == ()


def test_the_clipped_share_is_the_share_of_activations_above_the_threshold() -> None:
    """Activations of two channels, 1 to 8 and 10 to 80, with half of the largest as the threshold, 4 and 40."""
    half = ScaledRule(MaxRule(), 0.5)
    statistics = {"relu": ActivationStatistics.empty(2)}
    small_ones = torch.arange(1.0, 9.0).reshape(8, 1)
    statistics["relu"].update(torch.cat([small_ones, 10 * small_ones], dim=1))
    shares = [from_statistics(statistics, 8, rule).layers["relu"].clipped_share for rule in (MaxRule(), half)]
    assert shares == [0.0, 0.5]
    assert from_statistics(statistics, 8, half, per_channel=False).layers["relu"].clipped_share == 0.25


def test_dead_layers_are_an_error_that_lists_all_of_them() -> None:
    with pytest.raises(CalibrationDataError, match=r"relu, relu_1.*check the preprocessing"):
        calibrate(biased([-1.0, -2.0], [0.0, -1.0]), BLACK, MseRule())


def test_it_is_plain_data() -> None:
    found = calibrate(biased([1.0, -1.0], [2.0]), BLACK, MaxRule())
    read = json.loads(json_text(found))
    assert (read["rule"], read["per_channel"], read["images"]) == ("max", True, 4)
    assert from_plain(read, Calibration) == found


def test_it_does_not_depend_on_the_batches() -> None:
    images, _ = small.draw(96, 4)
    whole = calibrate(small.ann_program(), [images], MseRule())
    assert calibrate(small.ann_program(), images.split(24), MseRule()) == whole
    assert calibrate(small.ann_program(), images.flip(0).split(48), MseRule()) == whole
