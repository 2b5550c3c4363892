"""The published JSON Schemas are those of the dataclasses, and what the package writes is valid by them."""

import json
from pathlib import Path

import jsonschema
import pytest
import small_artifacts as small

from seenn_convert.artifact.artifact import MANIFEST, REPORT
from seenn_convert.artifact.json_schema import schemas

PUBLISHED = Path(__file__).parents[2] / "docs" / "schema"


def test_the_published_files_are_current() -> None:
    """If not: python -m seenn_convert.artifact.json_schema docs/schema."""
    assert {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.glob("*.json")} == schemas()


def test_every_property_is_described() -> None:
    report = json.loads(schemas()["report.schema.json"])["$defs"]
    evaluation = report["Evaluation"]
    assert evaluation["description"] == "How good a network is on some labelled images."
    assert evaluation["properties"]["accuracy_at"]["description"].startswith("Timestep -> share right")
    assert all("description" in part for part in evaluation["properties"].values())
    assert report["HeadFacts"]["properties"]["gradient"]["description"].startswith("The options")


def test_what_is_written_is_valid(tmp_path: Path) -> None:
    small.artifact().save(tmp_path / "net")
    for name in (MANIFEST, REPORT):
        schema = json.loads(schemas()[name.replace(".json", ".schema.json")])
        data = json.loads((tmp_path / "net" / name).read_text())
        jsonschema.validate(data, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**data, "schema_version": "two"}, schema)
