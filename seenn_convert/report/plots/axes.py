"""Axes of a plot: round numbers, and where a value lies in the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 44, 444, 34, 256
"""The picture, and the rectangle in it that holds the data."""


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` on the pixels from ``start`` to ``end``."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of ``value``."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def horizontal_axis(low: float, high: float, ticks: Sequence[float]) -> Axis:
    """Return a level axis."""
    return Axis(low, high, tuple(ticks), LEFT, RIGHT)


def timestep_axis(timesteps: int) -> Axis:
    """Return a level axis from 0 to ``timesteps``."""
    return horizontal_axis(0, max(timesteps, 1), timestep_ticks(max(timesteps, 1)))


def vertical_axis(low: float, high: float) -> Axis:
    """Return an upright axis from a round number below ``low`` to one above ``high``."""
    ticks = nice_ticks(low, max(high, low + 1e-3))
    return Axis(ticks[0], ticks[-1], ticks, BOTTOM, TOP)


def accuracy_axis(values: Sequence[float]) -> Axis:
    """Return an upright axis that holds ``values``, at least 4 points high and within 0 to 100 %."""
    low, high = min(values, default=0.0), max(values, default=100.0)
    middle = min(max((low + high) / 2, 2.0), 98.0)
    return vertical_axis(max(min(low, middle - 2), 0.0), min(max(high, middle + 2), 100.0))


def nice_ticks(low: float, high: float, most: int = 6) -> tuple[float, ...]:
    """Return at most ``most`` + 1 round numbers whose first is <= ``low`` and whose last is >= ``high``."""
    span = max(high - low, 1e-9)
    power = math.floor(math.log10(span / most))
    steps = (factor * 10.0**exponent for exponent in (power, power + 1) for factor in (1, 2, 5))
    for step in steps:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= most:
            return tuple(round(i * step, 10) for i in range(first, max(last, first + 1) + 1))
    return (low, low + span)


def timestep_ticks(timesteps: int, most: int = 8) -> tuple[int, ...]:
    """Return whole timesteps from 0 to at most ``timesteps``, ending on it if a round step allows."""
    steps = [f * 10**e for e in range(8) for f in (1, 2, 4, 5, 8, 16, 32, 64)]
    fitting = sorted({step for step in steps if timesteps / step <= most})
    step = next((s for s in fitting if timesteps % s == 0 and s <= 2.5 * fitting[0]), fitting[0])
    return tuple(range(0, timesteps + 1, step))
