"""A report of the version before decodes into the typed report, and encodes to the same JSON."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.conversion import ModelFacts
from seenn_convert.artifact.schema.report import SCHEMA_VERSION, Report, migrated
from seenn_convert.artifact.schema.shared import Caution
from seenn_convert.errors import ArtifactError

BEFORE = Path(__file__).parents[1] / "written_before" / "report.json"


def before() -> dict[str, Any]:
    """Return a report that version 1 wrote."""
    found: dict[str, Any] = json.loads(BEFORE.read_text())
    assert found["schema_version"] == 1
    return found


def test_a_report_written_before_keeps_every_value() -> None:
    """Only the version, the codes of the warnings, an empty ``weights`` and what was not done then are new."""
    old = before()
    new = json.loads(json.dumps(to_plain(from_plain(migrated(old), Report))))
    assert new.pop("schema_version") == SCHEMA_VERSION == old.pop("schema_version") + 1
    assert [one["text"] for one in new["conversion"].pop("warnings")] == old["conversion"].pop("warnings")
    assert (new["conversion"].pop("weights"), old["conversion"].pop("weights")) == (None, {})
    assert new["conversion"].pop("front")["names"] == []
    assert new["conversion"].pop("graded_depthwise", None) is None
    assert new == old


def test_warnings_written_before_get_their_code() -> None:
    old = before()
    old["conversion"]["warnings"].append("something of long ago")
    report = from_plain(migrated(old), Report)
    assert report.conversion is not None
    assert [one.code for one in report.conversion.warnings] == ["few_held_out", "dead_channels", "other"]
    assert report.conversion.warnings[-1] == Caution("other", "something of long ago")


def test_a_migrated_report_needs_no_migration() -> None:
    new = to_plain(from_plain(migrated(before()), Report))
    assert migrated(new) == new
    assert from_plain(new, Report) == from_plain(migrated(before()), Report)


def test_a_report_of_nothing_is_a_report() -> None:
    assert from_plain(to_plain(Report()), Report) == Report()


@pytest.mark.parametrize(("where", "value"), [
    (("conversion", "timesteps"), "8"),
    (("conversion", "timesteps"), 8.5),
    (("conversion", "exit", "held_out", "exit_counts"), {"first": 1}),
    (("evaluation", "early_exit", "interval95"), [0.1]),
    (("evaluation", "ann_accuracy"), True),
    (("evaluation", "layers"), {}),
    (("model", "input_shape"), None),
])  # fmt: skip
def test_a_value_of_another_kind_is_refused_by_its_place(where: tuple[str, ...], value: object) -> None:
    report = before()
    part = report
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    with pytest.raises(ArtifactError, match=rf"\$\.{where[0]}"):
        from_plain(migrated(report), Report)


def places(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in plain data; of a list that of its first."""
    parts = data.items() if isinstance(data, dict) else enumerate(data[:1]) if isinstance(data, list) else ()
    return [*([path] if path else []), *(place for key, part in parts for place in places(part, (*path, key)))]


@pytest.mark.parametrize("value", [None, "text", -1, 0.5, True, [], {}, [None], {"x": 1}, 10**30], ids=str)
def test_whatever_stands_anywhere_a_report_loads_or_is_an_artifact_error(value: object) -> None:
    for path in places(before()):
        report: Any = before()
        part = report
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        with contextlib.suppress(ArtifactError):
            from_plain(migrated(report), Report)


def test_a_part_can_be_taken_as_plain_data_as_before() -> None:
    report = Report(model=ModelFacts(name="m", input_shape=(1, 8, 8), classes=2), environment=None)
    with pytest.warns(DeprecationWarning, match=r"is now report\.model"):
        assert report["model"]["classes"] == 2
    with pytest.raises(KeyError):
        report["models"]
