"""Values are read out of plain data whatever stands in their place."""

import math

import pytest

from seenn_convert.artifact.plain import dig, finite, mappings


@pytest.mark.parametrize("data", [None, 3, [], {}, {"a": None}, {"a": {"c": 1}}, {"a": "b"}])
def test_what_is_not_there_is_none(data: object) -> None:
    assert dig(data, "a", "b") is None
    assert dig({"a": {"b": 7}}, "a", "b") == 7


@pytest.mark.parametrize("value", [None, True, "1", [], math.nan, math.inf])
def test_what_is_no_finite_number_is_none(value: object) -> None:
    assert finite(value) is None
    assert finite(3) == 3.0


def test_only_mappings_of_a_list() -> None:
    assert mappings([{"a": 1}, 2, None, {}]) == [{"a": 1}, {}]
    assert mappings("abc") == mappings(None) == mappings({"a": 1}) == []
