"""One tree of errors, the exit code of each, and messages that list every problem."""

import pytest

from seenn_convert.errors import (
    ArtifactError,
    CalibrationDataError,
    ExportError,
    InputError,
    PassError,
    PostconditionError,
    PreconditionError,
    SeennConvertError,
    UnsupportedOperatorError,
    reason_of,
)


@pytest.mark.parametrize(
    ("kind", "parent", "exit_code"),
    [
        (InputError, SeennConvertError, 1),
        (UnsupportedOperatorError, InputError, 1),
        (CalibrationDataError, InputError, 1),
        (ArtifactError, InputError, 1),
        (PassError, SeennConvertError, 3),
        (PreconditionError, PassError, 3),
        (PostconditionError, PassError, 3),
        (ExportError, SeennConvertError, 1),
    ],
)
def test_the_tree_and_its_exit_codes(kind: type[SeennConvertError], parent: type, exit_code: int) -> None:
    assert issubclass(kind, parent)
    assert kind.exit_code == exit_code


def test_unsupported_operators_are_all_listed() -> None:
    error = UnsupportedOperatorError(["a (aten.x) at f.py:1: no", "b (aten.y) at f.py:2: no"])

    assert error.problems == ("a (aten.x) at f.py:1: no", "b (aten.y) at f.py:2: no")
    assert str(error).splitlines() == ["2 operators cannot be converted:", *(f"  {p}" for p in error.problems)]
    assert str(UnsupportedOperatorError(["a: no"])) == "1 operator cannot be converted:\n  a: no"


def test_a_reason_is_the_first_line_or_the_class_and_never_long() -> None:
    assert reason_of(ValueError(" why \nmore")) == "why"
    assert reason_of(ValueError()) == "ValueError"
    assert len(reason_of(ValueError("x" * 1000))) < 210
