"""A comparison survives its JSON."""

import json

import fake_reports

from seenn_convert.artifact.files import json_text
from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.comparison import Bin, Comparison, Ideal


def test_it_survives_its_json() -> None:
    given = fake_reports.typed_comparison(fake_reports.fake_comparison(head=True))
    read = from_plain(json.loads(json_text(given)), Comparison)
    assert read == given
    assert isinstance(read.ideal, Ideal) and isinstance(read.reliability[0].bins_after[0], Bin)
