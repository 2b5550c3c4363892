"""A provenance may know nothing, and keeps whatever options it is given."""

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.provenance import ModelOrigin, Provenance


def test_what_is_not_known_has_a_default() -> None:
    found = from_plain({}, Provenance)
    assert found == Provenance()
    assert found.model == ModelOrigin(name="unknown", format="unknown")


def test_options_are_kept_as_they_are() -> None:
    options = {"rule": {"kind": "my own", "values": [1, None]}}
    assert from_plain(to_plain(Provenance(options=options)), Provenance).options == options
