"""What the calibration knows is read from the provenance, whatever of it is there."""

import small_artifacts as small

from seenn_convert.measure.calibrated import calibrated_layers


def test_a_row_for_each_layer() -> None:
    found = calibrated_layers(small.artifact().provenance)
    told = small.artifact().provenance["calibration"]["thresholds"]["layers"]
    assert [row["name"] for row in found] == ["relu", "relu_1"]
    for row in found:
        layer = told[row["name"]]
        assert row["v_threshold"][0] == min(layer["v_threshold"]) and row["v_threshold"][2] == max(layer["v_threshold"])
        assert (row["maximum"], row["clipped_share"]) == (layer["maximum"], layer["clipped_share"])
        assert (row["channels"], row["dead_channels"]) == (5, len(layer["dead_channels"]))


def test_one_threshold_a_layer_does_not_say_how_many_channels_there_are() -> None:
    layer = {"v_threshold": [2.0], "maximum": 3.0, "dead_channels": [1, 4]}
    provenance = {"calibration": {"thresholds": {"per_channel": False, "layers": {"relu": layer}}}}
    assert calibrated_layers(provenance) == [
        {"name": "relu", "v_threshold": [2.0, 2.0, 2.0], "maximum": 3.0, "clipped_share": None, "channels": None,
         "dead_channels": 2}
    ]  # fmt: skip


def test_what_is_missing_is_none() -> None:
    assert calibrated_layers({}) == []
    found = calibrated_layers({"calibration": {"thresholds": {"per_channel": True, "layers": {"relu": None}}}})
    assert set(found[0].values()) == {"relu", None, 0}
