"""Reading values off curves."""

import pytest

from seenn_convert.measure.curves import at_average, average_within

POINTS = [
    {"average_timesteps": 4.0, "points_lost": 0.0}, {"average_timesteps": 1.0, "points_lost": 6.0},
    {"average_timesteps": 2.0, "points_lost": 2.0}, {"average_timesteps": 3.0, "points_lost": 0.4},
]  # fmt: skip


def test_between_two_points_the_line_holds() -> None:
    assert at_average(POINTS, 1.5) == pytest.approx(4.0)
    assert at_average(POINTS, 2.0) == 2.0
    assert at_average(POINTS, 5.0) is None
    assert at_average([], 2.0) is None


def test_the_fewest_average_from_which_on_little_is_lost() -> None:
    assert average_within(POINTS, 0.5) == 3.0
    assert average_within(POINTS, 10.0) == 1.0
    assert average_within(POINTS, -1.0) is None
    dip = [*POINTS, {"average_timesteps": 1.5, "points_lost": 0.1}]  # luck before a loss does not count
    assert average_within(dip, 0.5) == 3.0
