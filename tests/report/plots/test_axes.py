"""Axes hold the data on few round numbers."""

import itertools

import pytest

from seenn_convert.report.plots.axes import Axis, accuracy_axis, nice_ticks, timestep_ticks


def test_an_axis_maps_its_ends() -> None:
    axis = Axis(10.0, 20.0, (10, 20), 256.0, 34.0)
    assert [axis.at(10), axis.at(15), axis.at(20)] == [256.0, 145.0, 34.0]


@pytest.mark.parametrize("values", [[], [0.0], [99.9, 100.0], [50.0, 50.1], [3.0, 97.0]])
def test_an_accuracy_axis_is_at_least_four_points_high_and_holds_the_values(values: list[float]) -> None:
    axis = accuracy_axis(values)
    assert axis.high - axis.low >= 4 and axis.low >= 0 and axis.high <= 100
    assert all(axis.low <= value <= axis.high for value in values)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 100), (37, 88.04), (99.9, 100), (0, 0.001), (3, 3), (0, 4321)])
def test_ticks_are_few_and_hold_the_data(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)

    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= high - 1e-6
    assert 2 <= len(ticks) <= 7
    assert len({round(b - a, 9) for a, b in itertools.pairwise(ticks)}) == 1


@pytest.mark.parametrize(("timesteps", "last"), [(1, 1), (2, 2), (7, 7), (16, 16), (64, 64), (100, 100), (512, 512)])
def test_timestep_ticks_are_whole_and_end_on_the_last_if_they_can(timesteps: int, last: int) -> None:
    ticks = timestep_ticks(timesteps)

    assert ticks[0] == 0
    assert ticks[-1] == last
    assert len(ticks) <= 9
