"""Read values out of plain data, such as ``report.json``, in which any may be missing or of another kind."""

import math
from collections.abc import Mapping
from typing import Any


def dig(data: Any, *keys: str) -> Any:
    """Return the value under nested ``keys``, None where one is missing."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def finite(value: Any) -> float | None:
    """Return ``value`` as a float, None unless it is a finite number."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in a list, an empty list where there is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []
