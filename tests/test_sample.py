"""The shipped sample is whole, and what its record says is so."""

import fnmatch
import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from seenn_convert import sample

ROOT = Path(__file__).parents[1]
RECORD = json.loads((sample.FOLDER / "provenance.json").read_text())


@pytest.mark.parametrize("name", sorted(RECORD["files"]))
def test_a_file_is_the_recorded_one(name: str) -> None:
    content = (sample.FOLDER / name).read_bytes()
    assert {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} == RECORD["files"][name]


def test_the_preprocessing_and_the_classes_are_those_of_the_record() -> None:
    assert [*sample.MEAN, *sample.STD] == [RECORD["input"]["mean"], RECORD["input"]["std"]]
    assert len(set(sample.CLASS_NAMES)) == len(np.unique(np.load(sample.TEST)["y"])) == 10


def test_the_wheel_has_what_the_demo_reads() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["seenn_convert"]
    read = (sample.MODEL, sample.CALIBRATION, sample.TEST, sample.FOLDER / "class_names.txt", sample.FOLDER / "LICENSE-fashion-mnist.txt")
    for path in read:
        assert any(fnmatch.fnmatch(f"sample/{path.name}", pattern) for pattern in patterns), path.name
