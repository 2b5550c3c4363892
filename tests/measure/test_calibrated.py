"""What the calibration knows about the layers, as rows of a table."""

import small_artifacts as small

from seenn_convert.calibration.calibration import Calibration, LayerCalibration
from seenn_convert.measure.calibrated import CalibratedLayer, calibrated_layers


def test_a_row_for_each_layer() -> None:
    told = small.calibration().layers
    found = calibrated_layers(small.calibration())
    assert [row.name for row in found] == ["relu", "relu_1"]
    for row in found:
        layer = told[row.name]
        assert row.v_threshold[0] == min(layer.v_threshold) and row.v_threshold[2] == max(layer.v_threshold)
        assert (row.maximum, row.clipped_share) == (layer.maximum, layer.clipped_share)
        assert (row.channels, row.dead_channels) == (5, len(layer.dead_channels))


def test_one_threshold_a_layer_does_not_say_how_many_channels_there_are() -> None:
    layer = LayerCalibration((2.0,), maximum=3.0, firing_share=0.5, dead_channels=(1, 4))
    assert calibrated_layers(Calibration("max", False, 10, {"relu": layer})) == (
        CalibratedLayer("relu", (2.0, 2.0, 2.0), maximum=3.0, clipped_share=0.0, channels=None, dead_channels=2),
    )
