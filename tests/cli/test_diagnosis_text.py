"""The diagnosis as text: a star at the largest part, a dash for what is not known, the verdict below."""

from seenn_convert.artifact.schema.layers import LayerRow
from seenn_convert.cli.diagnosis_text import calibrated_text, measured_text
from seenn_convert.measure.calibrated import CalibratedLayer
from seenn_convert.measure.diagnosis import diagnose
from seenn_convert.measure.remedies import Settings

PARTS = {"startup": 0.0, "upstream": 0.0, "clipping": 0.5, "quantisation": 0.125, "unevenness": 0.0}


def test_measured_errors() -> None:
    rows = [
        LayerRow(name="relu", rate_error=0.52, error_parts=PARTS, channels=8, dead_channels=1, saturated_channels=5),
        LayerRow(name="relu_1", rate_error=0.5),
    ]  # fmt: skip
    head, first, second, empty, verdict, star = measured_text(diagnose(rows, Settings())).splitlines()
    assert head.split()[-2:] == ["dead", "saturated"]
    assert first.split()[:7] == ["relu", "52.0%", "0.0%", "0.0%", "50.0%*", "12.5%", "0.0%"]
    assert first.split()[7:] == ["1", "of", "8", "5", "of", "8"]
    assert second.split() == ["relu_1", "50.0%", *["-"] * 7]
    assert empty == "" and verdict.startswith("relu is the first layer that breaks") and "--threshold max" in verdict
    assert star == "* is the largest part of a layer's error"


def test_what_the_calibration_knows() -> None:
    rows = [
        CalibratedLayer("relu", (1.0, 1.5, 2.0), maximum=3.25, clipped_share=0.00123, channels=4, dead_channels=3),
        CalibratedLayer("relu_1", (2.0, 2.0, 2.0), maximum=1.0, clipped_share=0.0, channels=None, dead_channels=0),
    ]
    known = [LayerRow(name=row.name, channels=row.channels, dead_channels=row.dead_channels) for row in rows]
    _, first, second, _, last = calibrated_text(rows, diagnose(known, Settings()), "out").splitlines()
    assert first.split() == ["relu", "1", "to", "2", "3.25", "0.12%", "3", "of", "4"]
    assert second.split() == ["relu_1", "2", "1", "0.00%", "0"]
    assert last.startswith("Not evaluated yet: seenn-convert evaluate out --data DATA")
    assert "3 of 4 channels were positive for none of them" in last
