"""Documents go to plain data and back; what does not fit is an error, and NaN never reaches a file."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from seenn_convert.artifact.files import json_text, read_json
from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.errors import ArtifactError, InputError


@dataclass(frozen=True)
class Half:
    """A value with a check of its own."""

    counts: dict[int, int]
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.share > 1:
            raise InputError("a share is at most 1")


def test_keys_are_text_and_missing_values_their_defaults() -> None:
    assert to_plain(Half({1: 2})) == {"counts": {"1": 2}, "share": 0.5}
    assert from_plain({"counts": {"1": 2}, "later": "keys are ignored"}, Half) == Half({1: 2})


@pytest.mark.parametrize(("data", "reason"), [
    ({"counts": {"1": 2.5}}, r"Expected `int`"), ({}, "counts"), ([], "Expected `object`"),
    ({"counts": {}, "share": 2}, "a share is at most 1"), ({"counts": {"one": 1}}, "Expected `int`"),
])  # fmt: skip
def test_what_does_not_fit_is_an_artifact_error_with_place_and_remedy(data: object, reason: str) -> None:
    with pytest.raises(ArtifactError, match=rf"^net/file\.json is damaged \(.*{reason}.*\); convert the model again$"):
        from_plain(data, Half, Path("net/file.json"))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_lacks_is_neither_written_nor_read(value: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all_timesteps is NaN or infinite"):
        json_text(ThreeRuns(ann=1.0, all_timesteps=value, early_exit=1.0))
    (tmp_path / "a.json").write_text(f'{{"x": {"NaN" if math.isnan(value) else "1e999"}}}')
    with pytest.raises(ArtifactError, match="not readable as JSON"):
        read_json(tmp_path / "a.json")
