"""Numbers are written for readers."""

import math

from seenn_convert.report.numbers import count, energy, number, percent, plain, plural, ratio, significant


def test_what_is_not_known_is_a_dash() -> None:
    assert [number(None), percent(math.nan), significant(math.inf), count(None), energy(None)] == ["–"] * 5


def test_numbers_are_written_for_readers() -> None:
    assert number(-0.001, 2) == "0.00"
    assert [number(-12345.67, 1), percent(0.876), significant(0), significant(0.02346)] == [
        "−12,345.7", "87.6\u00a0%", "0", "0.0235",
    ]  # fmt: skip
    assert [count(999), count(66_400_000), count(999_960)] == ["999", "66.4\u00a0M", "1.00\u00a0M"]
    assert [energy(0.5), energy(188_600), energy(4.1e7)] == ["0.500\u00a0nJ", "189\u00a0µJ", "41.0\u00a0mJ"]
    assert [significant(3.1e-7, 2), significant(-2.5e8, 2)] == ["3.1\u00a0×\u00a010⁻⁷", "−2.5\u00a0×\u00a010⁸"]


def test_a_console_gets_plain_blanks() -> None:
    assert plain(f"{percent(0.069)} of {count(40.6e6)} run once") == "6.9% of 40.6 M run once"


def test_ratios_and_amounts() -> None:
    assert [ratio(1.0, 4.0), ratio(None, 1.0), ratio(1.0, 0.0), ratio(1.0, None)] == [0.25, None, None, None]
    assert [plural(1, "pass", "passes"), plural(2000, "pass", "passes")] == ["1 pass", "2,000 passes"]
