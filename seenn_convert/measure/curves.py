"""Read values off the curves of a comparison: at an average number of timesteps, and where a loss is small enough."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from seenn_convert.artifact.plain import finite


def at_average(points: Sequence[Mapping[str, Any]], average: float, key: str = "points_lost") -> float | None:
    """Return ``key`` at ``average`` timesteps, on the line between neighbouring points; None outside the curve."""
    known = _sorted(points, key)
    for (x1, y1), (x2, y2) in pairwise(known):
        if x1 <= average <= x2:
            return y1 if x1 == x2 else y1 + (y2 - y1) * (average - x1) / (x2 - x1)
    return next((y for x, y in known if x == average), None)


def average_within(points: Sequence[Mapping[str, Any]], lost: float) -> float | None:
    """Return the fewest average timesteps from which on no point loses more than ``lost`` points; None if none."""
    found = None
    for x, y in reversed(_sorted(points, "points_lost")):
        if y > lost + 1e-9:
            break
        found = x
    return found


def _sorted(points: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    pairs = [(finite(point.get("average_timesteps")), finite(point.get(key))) for point in points]
    return sorted((x, y) for x, y in pairs if x is not None and y is not None)
