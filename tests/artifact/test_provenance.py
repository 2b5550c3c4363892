"""Provenance names and hashes what a network was made from."""

import hashlib
import json
from pathlib import Path

import small_artifacts as small

from seenn_convert.artifact.provenance import model_provenance, provenance
from seenn_convert.frontend.load import Source
from seenn_convert.workflows.convert.options import Options


def test_a_file_is_hashed_and_a_module_is_not(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"abc")
    source = Source(small.ann_program(), "net.pt2", "pt2", tmp_path / "net.pt2")
    assert model_provenance(source) == {
        "name": "net.pt2", "format": "pt2", "sha256": hashlib.sha256(b"abc").hexdigest()
    }  # fmt: skip
    assert model_provenance(Source(small.ann_program(), "Net", "module"))["sha256"] is None
    assert model_provenance(Source(small.ann_program(), "Net", "module", output_name="a"))["output_name"] == "a"


def test_it_is_plain_data_without_folders_of_the_user() -> None:
    pixels, labels = small.draw(10, 1)
    data = small.as_dataset(pixels, labels, "/home/someone/secret/bars.npz")
    found = provenance({"name": "Net"}, data, small.calibration(), Options().to_json())
    text = json.dumps(found, allow_nan=False)
    assert "someone" not in text
    assert found["calibration"]["name"] == "bars.npz"
    assert found["calibration"]["images"] == 10
    assert found["calibration"]["fingerprint"] == data.fingerprint()
    assert found["calibration"]["thresholds"] == small.calibration().to_json()
    assert found["options"] == Options().to_json()
    assert set(found) == {"model", "calibration", "options", "environment"}
