"""The report of a conversion says what was converted, and warns of what weakens it."""

import json

import small_artifacts as small

from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.provenance import environment
from seenn_convert.artifact.schema.coding import to_plain


def test_the_report_is_plain_data_with_every_part() -> None:
    artifact = small.artifact()
    report = json.loads(json_text(artifact.report))
    assert set(report) == {"schema_version", "model", "conversion", "evaluation", "environment"}
    assert report["evaluation"] is None
    assert report["model"] == {"name": "SmallNet", "format": "module", "sha256": None, "output_name": None, "notes": [],
                               "input_shape": [1, 8, 8], "classes": 3, "class_names": None}  # fmt: skip
    conversion = report["conversion"]
    assert conversion["timesteps"] == 8
    assert conversion["neuron"] == {"kind": "signed", "alphabet": [-1, 0, 1], "bits_per_spike": 2}
    right = int((small.trained_net()(small.draw(96, 1)[0]).argmax(1) == small.draw(96, 1)[1]).sum())
    assert conversion["calibration"].pop("ann_confidence")["images"] == 96
    assert conversion["calibration"] == {
        "name": "bars.npz", "images": 96, "labelled": True, "fitting_images": 58, "held_out_images": 38,
        "ann_right": {"of": "calibration", "images": 96, "right": right}, "validation": None, "drawn_from": None,
    }  # fmt: skip
    assert len(conversion["operators"]) == 9
    assert [entry["name"] for entry in conversion["passes"]][-1] == "InsertExitProbe"
    assert conversion["exit"]["policy"] == {**artifact.policy.to_json(), "timesteps": None}
    assert len(conversion["exit"]["temperatures"]) == 8
    assert set(conversion["exit"]["held_out"]) == {
        "accuracy", "reference", "full_accuracy", "expected_drop", "drop_error", "average_timesteps", "reached",
        "exit_counts",
    }  # fmt: skip
    assert sum(conversion["exit"]["held_out"]["exit_counts"].values()) == 38
    assert conversion["certificate"] is conversion["exit"]["step_time"] is None
    assert conversion["dead_channels"] == {"relu": 0, "relu_1": len(
        artifact.provenance.calibration.thresholds.layers["relu_1"].dead_channels)}  # fmt: skip
    assert 0 <= conversion["parity"] < 1e-5


def test_the_environment_names_versions() -> None:
    found = environment()
    assert set(to_plain(found)) == {"versions", "machine", "date"}
    assert {"python", "torch", "safetensors", "seenn_convert"} <= set(found.versions)
