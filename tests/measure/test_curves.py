"""Reading values off curves."""

import pytest

from seenn_convert.artifact.schema.comparison import Point
from seenn_convert.measure.curves import at_average, average_within


def point(average: float, lost: float) -> Point:
    """Return a point of which only two values matter here."""
    return Point(
        average_timesteps=average, accuracy=1 - lost / 100, interval95=(0.0, 1.0), points_lost=lost,
        points_lost_interval95=(0.0, 0.0), points_lost_to_full_run=lost - 1, points_lost_to_full_run_interval95=(0.0, 0.0),
        synaptic_operations=1.0, milliseconds=1.0,
    )  # fmt: skip


POINTS = [point(4.0, 0.0), point(1.0, 6.0), point(2.0, 2.0), point(3.0, 0.4)]


def test_between_two_points_the_line_holds() -> None:
    assert at_average(POINTS, 1.5) == pytest.approx(4.0)
    assert at_average(POINTS, 2.0) == 2.0
    assert at_average(POINTS, 5.0) is None
    assert at_average([], 2.0) is None
    assert at_average(POINTS, 1.5, "points_lost_to_full_run") == pytest.approx(3.0)


def test_the_fewest_average_from_which_on_little_is_lost() -> None:
    assert average_within(POINTS, 0.5) == 3.0
    assert average_within(POINTS, 10.0) == 1.0
    assert average_within(POINTS, -1.0) is None
    dip = [*POINTS, point(1.5, 0.1)]  # luck before a loss does not count
    assert average_within(dip, 0.5) == 3.0
