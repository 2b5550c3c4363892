"""Every word that the command line offers is one that the library knows, and it is listed without PyTorch."""

import math
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from seenn_convert.choices import (
    NEURON_NAMES,
    SCORE_NAMES,
    Range,
    settle_flag,
    settle_numbers,
    settled_numbers,
)
from seenn_convert.ir.scores import SCORES
from seenn_convert.neurons.types import NEURON_TYPES


def test_each_name_has_its_value() -> None:
    assert [one.name for one in NEURON_TYPES.values()] == list(NEURON_NAMES)
    assert [one.name for one in SCORES] == list(SCORE_NAMES)


def test_the_names_are_known_without_pytorch() -> None:
    code = "import sys, seenn_convert.choices; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@dataclass(frozen=True)
class Settings:
    whole: object = 1
    share: object = 0.5
    flag: object = True


RANGES = {"whole": Range(1, 8, whole=True), "share": Range(above=0, below=1, optional=True, name="the share")}


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("whole", 0, "whole must be at least 1 and at most 8, got 0"),
        ("whole", 9, "at most 8, got 9"),
        ("whole", 2.0, "whole must be a whole number, got 2.0"),
        ("whole", True, "whole must be a whole number, got True"),
        ("whole", "2", "whole must be a whole number, got '2'"),
        ("whole", None, "whole must be a whole number, got None"),
        ("share", 0, "the share must be above 0 and below 1, got 0"),
        ("share", 1.0, "the share must be above 0 and below 1, got 1.0"),
        ("share", math.nan, "above 0 and below 1, got nan"),
        ("share", np.bool_(True), "the share must be a number"),
        ("share", [0.5], "the share must be a number"),
        ("share", np.array([0.5]), "the share must be a number"),
    ],
)
def test_what_is_out_of_range_is_said(field: str, value: object, problem: str) -> None:
    (found,) = settle_numbers(Settings(**{field: value}), **RANGES)

    assert problem in found


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_is_finite_even_without_bounds(value: float) -> None:
    assert Range().problem(value) == "finite"
    assert Range(least=0).problem(value) in ("finite", "at least 0")


def test_a_distant_bound_is_mentioned_only_where_it_is_passed() -> None:
    assert Range(1, 2**20, whole=True).problem(0) == "at least 1"
    assert Range(1, 2**20, whole=True).problem(2**21) == "at least 1 and at most 1.04858e+06"


@pytest.mark.parametrize(("whole", "share"), [(np.int64(4), np.float32(0.5)), (np.uint8(4), np.float64(0.5))])
def test_numbers_of_numpy_become_plain(whole: object, share: object) -> None:
    settings = Settings(whole, share, np.bool_(False))
    assert settle_numbers(settings, **RANGES) + settle_flag(settings, "flag") == []
    assert [type(value) for value in (settings.whole, settings.share, settings.flag)] == [int, float, bool]
    assert settings == Settings(4, 0.5, False)


def test_what_may_be_missing_may_be_missing() -> None:
    assert settle_numbers(Settings(share=None), **RANGES) == []
    assert settle_flag(Settings(flag="no"), "flag") == ["flag must be True or False, got 'no'"]


def test_a_sequence_of_numbers() -> None:
    assert settled_numbers(np.array([1, 2]), Range()) == (1.0, 2.0)
    assert settled_numbers([0.5, np.float32(1)], Range()) == (0.5, 1.0)
    for wrong in ((), "12", {1: 2}, [math.inf], [None], 3, None, b"1"):
        assert settled_numbers(wrong, Range()) == ()


@pytest.mark.parametrize("value", [10**400, -(10**400), Fraction(10**400, 3)])
def test_a_number_beyond_all_floats_is_no_number_of_an_option(value: Any) -> None:
    assert Range().problem(value) == "finite"
    assert Range(1, 8, whole=True).problem(value) in ("at least 1 and at most 8", "a whole number")
