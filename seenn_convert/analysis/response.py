"""Which activation a function of one number is, found by asking it: a ReLU, a clipped one, or one rounded to levels."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
"""Maps ``(N, C)`` numbers, elementwise in double precision; each of the C columns may have constants of its own."""

FAR = 2.0**20
"""A clipped activation is flat from here on, of either sign."""

MOST_LEVELS = 1024
"""Levels of a rounded activation at most."""

TOLERANCE = 1e-6
"""Share of the range by which a function may differ from the activation that it is taken for."""

SAME = 1e-9
"""Relative difference below which two numbers found by halving intervals are the same."""

_ROUNDS, _PIECES, _SIZES = 7, 1024, 512
_FINE = 1e-3  # what is taken for rounding, as a share of the smallest numbers that are asked for


@dataclass(frozen=True)
class Response:
    """``scale * activation(x + shift)``, column by column.

    Attributes:
        shift: ``(C,)``, 0 where there is none.
        scale: ``(C,)``, positive.
        maximum: ``(C,)``, where the activation is clipped; infinity for a ReLU.
        levels: The activation is rounded to whole multiples of ``maximum / levels``; None if it is not.
    """

    shift: Tensor
    scale: Tensor
    maximum: Tensor
    levels: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is an activation as it stands: nothing is shifted or scaled, and all columns are alike."""
        alike = bool((self.maximum - self.maximum[0]).abs().nan_to_num().max() <= SAME * self.maximum[0])
        return alike and bool((self.shift == 0).all() and (self.scale == 1).all())


def response(function: Function, columns: int) -> Response | None:
    """Return which activation ``function`` is, None if it is none of them.

    An activation here is 0 up to some number and rises from there. The places where it changes are found by halving
    intervals, and what they say is checked at points between and on both sides of them, and far away.
    """
    far = torch.tensor([-2 * FAR, -FAR, FAR, 2 * FAR], dtype=torch.float64).unsqueeze(1).expand(4, columns)
    ends = function(far)
    if ends.shape != far.shape or not bool(ends.isfinite().all()):
        return None
    below, bottom, top, above = ends
    if not bool((top > 0).all()) or bool((below != 0).any() or (bottom != 0).any()):
        return None  # a bound just above 0 keeps a quotient finite: it is none of them
    if bool(((above - top).abs() > TOLERANCE * top).any()):
        return _rectified(function, top / FAR)
    return _in_levels(function, top) or _clipped(function, top)


def _rectified(function: Function, slope: Tensor) -> Response | None:
    """Return a ReLU times ``slope``, if ``function`` is one."""
    found = Response(torch.zeros_like(slope), _one(slope), torch.full_like(slope, math.inf))
    sizes = torch.logspace(math.log2(SAME), math.log2(FAR), _SIZES, base=2, dtype=torch.float64)
    points = torch.cat([-sizes, sizes]).unsqueeze(1).expand(-1, len(slope))
    wanted = points.clamp(min=0) * slope
    error = (function(points) - wanted).abs()
    return found if bool((error <= TOLERANCE * wanted + SAME * _FINE * slope).all()) else None


def _in_levels(function: Function, top: Tensor) -> Response | None:
    """Return an activation in levels, if ``function`` is one: ``top`` is its largest value."""
    share = 1 / (4 * MOST_LEVELS)
    first, last = _crossing(function, share * top), _crossing(function, (1 - share) * top)
    counts = (top / function(first.unsqueeze(0))[0]).round()
    levels = int(counts[0])
    if not 2 <= levels <= MOST_LEVELS or bool((counts != levels).any()):
        return None
    width = (last - first) / (levels - 1)
    if not bool((width > 0).all()):
        return None
    steps = torch.arange(-1, levels, dtype=torch.float64).reshape(-1, 1, 1)
    places = torch.tensor([TOLERANCE, 0.5, 1 - TOLERANCE], dtype=torch.float64).reshape(1, -1, 1)
    points = (first + (steps + places) * width).flatten(0, 1)
    wanted = ((steps + 1) / levels * top).expand(-1, 3, -1).flatten(0, 1)
    maximum = width * levels
    found = Response(_zero(width / 2 - first, maximum), _one(top / maximum), maximum, levels)
    return found if _agrees(function, points, wanted, first, last, top) else None


def _clipped(function: Function, top: Tensor) -> Response | None:
    """Return a clipped activation, if ``function`` is one: ``top`` is its largest value."""
    quarter, half = _crossing(function, top / 4), _crossing(function, top / 2)
    maximum, start = 4 * (half - quarter), 2 * quarter - half
    if not bool((maximum > 0).all()):
        return None
    sizes = torch.logspace(-24, -6, 73, base=2, dtype=torch.float64).unsqueeze(1)
    near = function(start + torch.cat([sizes, -sizes]) * maximum) / top
    if bool(((near - torch.cat([sizes, torch.zeros_like(sizes)])).abs() > _FINE * torch.cat([sizes, sizes])).any()):
        return None  # a threshold of its own, near to where the rise starts
    points = start + torch.linspace(-1, 2, 259, dtype=torch.float64).unsqueeze(1) * maximum
    wanted = ((points - start) / maximum).clamp(0, 1) * top
    found = Response(_zero(-start, maximum), _one(top / maximum), maximum)
    return found if _agrees(function, points, wanted, start, start + maximum, top) else None


def _agrees(function: Function, points: Tensor, wanted: Tensor, first: Tensor, last: Tensor, top: Tensor) -> bool:
    """Return whether ``function`` is as ``wanted`` at ``points``, 0 below ``first`` and ``top`` above ``last``."""
    away = torch.logspace(-8, 19, 55, base=2, dtype=torch.float64).unsqueeze(1).expand(-1, len(top))
    asked = torch.cat([points, first - away, last + away])
    expected = torch.cat([wanted, torch.zeros_like(away), top.expand_as(away)])
    return bool(((function(asked) - expected).abs() <= TOLERANCE * top).all())


def _crossing(function: Function, level: Tensor) -> Tensor:
    """Return the smallest number ``(C,)`` at which a rising ``function`` reaches ``level`` ``(C,)``."""
    low, high = torch.full_like(level, -FAR), torch.full_like(level, FAR)
    parts = torch.linspace(0, 1, _PIECES + 1, dtype=torch.float64).unsqueeze(1)
    for _ in range(_ROUNDS):
        points = low + (high - low) * parts
        points[-1] = high
        reached = function(points) >= level
        reached[-1] = True
        index = reached.int().argmax(dim=0, keepdim=True)
        high = points.gather(0, index)[0]
        low = points.gather(0, (index - 1).clamp(min=0))[0]
    return high


def _zero(values: Tensor, size: Tensor) -> Tensor:
    return torch.where(values.abs() <= SAME * size, 0.0, values)


def _one(values: Tensor) -> Tensor:
    """Return the scale, exactly 1 where it differs from it by no more than single precision rounds."""
    return torch.where((values - 1).abs() <= TOLERANCE, 1.0, values)
