"""Numbers as readers want to see them; None becomes a dash."""

import math
from collections.abc import Sequence

MISSING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 0, unit: str = "") -> str:
    """Return a number with thousands separators and ``digits`` decimals."""
    if value is None or not math.isfinite(value):
        return MISSING
    rounded = round(value, digits) + 0.0  # no -0.00
    return f"{rounded:,.{digits}f}".replace("-", "\u2212") + unit


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as percent."""
    return MISSING if value is None else number(100 * value, digits, "\u00a0%")


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with ``digits`` significant digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}\u00a0×\u00a010".replace("-", "\u2212") + str(int(exponent)).translate(_SUPERSCRIPTS)
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0) if rounded else 0
    return number(rounded, decimals)


def count(value: float | None) -> str:
    """Return a large count with its unit prefix: ``41.0 M``."""
    return _scaled(value, ("", "k", "M", "G", "T"))


def energy(nanojoule: float | None) -> str:
    """Return an energy in its handiest unit."""
    return _scaled(nanojoule, ("nJ", "µJ", "mJ", "J"))


def ratio(value: float | None, reference: float | None) -> float | None:
    """Return ``value / reference``, None if either is unknown or the reference is 0."""
    return None if value is None or not reference else value / reference


def plural(amount: int, one: str, many: str) -> str:
    """Return an amount of things in words."""
    return f"{amount:,} {one if amount == 1 else many}"


def plain(words: str) -> str:
    """Return words for a console: without no-break spaces, and with percent signs close to their numbers."""
    return words.replace("\u00a0%", "%").replace("\u00a0", " ")


def _scaled(value: float | None, units: Sequence[str]) -> str:
    """Return a number in the largest of units 1,000 apart, three digits."""
    if value is None or not math.isfinite(value):
        return MISSING
    power = 0
    while power < len(units) - 1 and abs(value) >= 999.5:
        value, power = value / 1000, power + 1
    return f"{significant(value)}\u00a0{units[power]}".strip()
