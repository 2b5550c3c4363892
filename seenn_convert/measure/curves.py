"""Read values off the curves of a comparison: at an average number of timesteps, and where a loss is small enough."""

from collections.abc import Sequence
from itertools import pairwise

from seenn_convert.artifact.schema.comparison import Point


def at_average(points: Sequence[Point], average: float, key: str = "points_lost") -> float | None:
    """Return ``key`` at ``average`` timesteps, on the line between neighbouring points; None outside the curve."""
    known = _sorted(points, key)
    for (x1, y1), (x2, y2) in pairwise(known):
        if x1 <= average <= x2:
            return y1 if x1 == x2 else y1 + (y2 - y1) * (average - x1) / (x2 - x1)
    return next((y for x, y in known if x == average), None)


def average_within(points: Sequence[Point], lost: float, key: str = "points_lost") -> float | None:
    """Return the fewest average timesteps from which on no point loses more than ``lost`` points; None if none."""
    found = None
    for x, y in reversed(_sorted(points, key)):
        if y > lost + 1e-9:
            break
        found = x
    return found


def _sorted(points: Sequence[Point], key: str) -> list[tuple[float, float]]:
    return sorted((point.average_timesteps, getattr(point, key)) for point in points)
