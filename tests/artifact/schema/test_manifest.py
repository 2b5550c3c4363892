"""A manifest of the version before decodes into the typed manifest, and encodes to the same JSON."""

import json
from pathlib import Path

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.manifest import ConversionFacts, Manifest

BEFORE = Path(__file__).parents[1] / "written_before" / "manifest.json"


def test_a_manifest_written_before_keeps_every_value() -> None:
    old = json.loads(BEFORE.read_text())
    manifest = from_plain(old, Manifest)
    assert manifest.conversion == ConversionFacts()
    new = json.loads(json.dumps(to_plain(manifest)))
    assert new.pop("conversion") is not None
    assert new == old


def test_a_manifest_survives_its_json() -> None:
    manifest = from_plain(json.loads(BEFORE.read_text()), Manifest)
    assert from_plain(json.loads(json.dumps(to_plain(manifest))), Manifest) == manifest
