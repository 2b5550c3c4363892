"""Rows of layers: what an older version did not measure is None."""

from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.layers import Diagnosis, LayerDiagnosis, LayerRow


def test_an_older_row_says_less() -> None:
    row = from_plain({"name": "relu", "rate_error": 0.5, "v_threshold": [1, 2, 3.5]}, LayerRow)
    assert row == LayerRow(name="relu", rate_error=0.5, v_threshold=(1.0, 2.0, 3.5))
    assert row.channels is row.input_error is None and row.error_parts == {}


def test_a_diagnosis_of_nothing() -> None:
    assert from_plain({}, Diagnosis) == Diagnosis()
    assert from_plain({"layers": [{"name": "relu"}]}, Diagnosis).layers == (LayerDiagnosis(name="relu"),)
