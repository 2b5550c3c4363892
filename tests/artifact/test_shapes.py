"""A value of JSON is of its shape, or the first place where it is not is named."""

import pytest
import small_artifacts as small

from seenn_convert.artifact.shapes import ANY_KEY, NUMBER, PROVENANCE, REPORT, Shape, misfit
from seenn_convert.calibration.rules import MaxRule
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert


def test_what_a_conversion_writes_is_of_its_shape() -> None:
    assert misfit(small.artifact().report, REPORT) is None
    assert misfit(small.artifact().provenance, PROVENANCE) is None
    tracking = convert(small.trained_net(), small.dataset(), Options(timesteps=2, neuron="tracking", rule=MaxRule()))
    assert tracking.report["conversion"]["neuron"]["alphabet"] is None  # spikes of any size
    assert misfit(tracking.report, REPORT) is None


@pytest.mark.parametrize(("value", "shape"), [
    ({"more": 1}, {"a": int}), ({}, {"a": int}), ([], [str]), (1, NUMBER), (True, bool), ({"x": 1, "y": 2}, {ANY_KEY: int}),
    (None, ([int], type(None))), ([1, 2], ([int], type(None))), (True, (int, bool)),
])  # fmt: skip
def test_keys_may_be_missing_and_unknown_ones_are_let_be(value: object, shape: Shape) -> None:
    assert misfit(value, shape) is None


@pytest.mark.parametrize(("value", "shape", "clause"), [
    ([], {"a": int}, "it is not an object"), ({"a": {"b": "1"}}, {"a": {"b": int}}, "a.b is of the wrong kind"),
    ({"a": [[1], [2, "x"]]}, {"a": [[int]]}, "a[1][1] is of the wrong kind"), ({"a": {}}, {"a": [int]}, "a is not a list"),
    ({"a": True}, {"a": NUMBER}, "a is of the wrong kind"), ({"n": {"x": None}}, {"n": {ANY_KEY: int}}, "n.x is of the"),
    ({"a": 1}, {"a": ([int], type(None))}, "a is not a list"), ({"a": [1, "x"]}, {"a": ([int], type(None))}, "a[1] is of"),
])  # fmt: skip
def test_the_first_misfit_is_named(value: object, shape: Shape, clause: str) -> None:
    assert (misfit(value, shape) or "").startswith(clause)


def test_a_report_may_say_any_spike_or_be_older_than_the_bits() -> None:
    """Tracking neurons have no alphabet; reports from before it was said have no bits."""
    for neuron in ({"kind": "tracking", "alphabet": None, "bits_per_spike": None}, {"kind": "if", "alphabet": [0, 1]}):
        assert misfit({"conversion": {"neuron": neuron}}, REPORT) is None
    wrong = {"kind": "if", "alphabet": [0, 1], "bits_per_spike": "1"}
    assert misfit({"conversion": {"neuron": wrong}}, REPORT) == "conversion.neuron.bits_per_spike is of the wrong kind"
