"""Which activation a function of comparisons and choices is, by exact arithmetic on its pieces.

``where(x > 0, x, 0)``, ``x * (x > 0)`` and ``masked_fill(x, x < 0, 0)`` are one: 0 below 0, the identity above.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from seenn_convert.ir.operators import Affine, AtenOperator, Cast, ClippedReLU, Elementwise

Line = tuple[Fraction, Fraction]
"""Slope and offset."""
ZERO: Line = (Fraction(0), Fraction(0))
ONE: Line = (Fraction(0), Fraction(1))
IDENTITY: Line = (Fraction(1), Fraction(0))


class _Unknown(Exception):
    """The function has pieces that are not straight, or a step that is not known here."""


@dataclass(frozen=True)
class Pieces:
    """A function of straight pieces: a line below the first of ``ends``, on it, up to the next, ..., above the last."""

    ends: tuple[Fraction, ...]
    lines: tuple[Line, ...]

    def at(self, ends: Sequence[Fraction]) -> list[Line]:
        """Return the lines between and on ``ends``, among which are its own."""
        found = []
        for index in range(2 * len(ends) + 1):
            before = ends[(index - 1) // 2] if index else None
            is_end = index % 2 == 1
            passed = sum(before is not None and (end < before or (end == before and not is_end)) for end in self.ends)
            found.append(self.lines[2 * passed + (is_end and before in self.ends)])
        return found


def recognised(function: Elementwise) -> nn.Module:
    """Return the activation that computes what ``function`` computes, ``function`` itself if it is none."""
    if function.inputs != 1:
        return function
    try:
        pieces = _simple(_pieces_of(function, Pieces((), (IDENTITY,))))
    except (_Unknown, ZeroDivisionError):
        return function
    found = _activation(pieces)
    return found if found is not None and _agree(function, found, pieces.ends) else function


def _activation(pieces: Pieces) -> nn.Module | None:
    ends, between = pieces.ends, pieces.lines[::2]
    if between == (IDENTITY,):
        return nn.Identity()
    if len(ends) == 1 and ends[0] == 0 and between[1] == IDENTITY and between[0][1] == 0 and pieces.lines[1] == ZERO:
        return nn.LeakyReLU(float(between[0][0])) if between[0][0] else nn.ReLU()
    on_ends = tuple((Fraction(0), end) for end in ends)
    if len(ends) == 2 and between == (on_ends[0], IDENTITY, on_ends[1]) and pieces.lines[1::2] == on_ends:
        low, high = float(ends[0]), float(ends[1])
        return ClippedReLU(high) if low == 0 else AtenOperator("clamp.default", ("@0", low, high))
    return None


def _agree(function: nn.Module, activation: nn.Module, ends: Sequence[Fraction]) -> bool:
    """Return whether both give the same numbers around the ends of the pieces: exact arithmetic does not round."""
    around = torch.cat([torch.linspace(-8, 8, 65), torch.tensor([-1e3, -1e-3, 1e-3, 1e3])])
    x = torch.cat([around + float(end) for end in (*ends, Fraction(0))])
    x = x.reshape(-1, *[1] * max((constant.dim() for constant in function.buffers()), default=0))
    expected = function(x)
    return torch.allclose(expected, activation(x).expand_as(expected), rtol=1e-6, atol=1e-6)


def _pieces_of(function: Elementwise, x: Pieces) -> Pieces:
    values = [x]
    for step, sources in zip(function.steps, function.wiring, strict=True):
        values.append(_step(step, [values[source] for source in sources]))
    return values[-1]


def _step(step: nn.Module, inputs: list[Pieces]) -> Pieces:
    match step:
        case nn.ReLU():
            return _largest(inputs[0], _constant(0))
        case nn.LeakyReLU():
            scaled = _join(_times, inputs[0], _constant(step.negative_slope))
            return _choose(_compare(operator.gt, inputs[0], _constant(0)), inputs[0], scaled)
        case ClippedReLU():
            return _smallest(_largest(inputs[0], _constant(0)), _constant(step.maximum))
        case Affine():
            return _join(_plus, _join(_times, inputs[0], _number(step.scale)), _number(step.shift))
        case Cast() if step.dtype == "bool":
            return _compare(operator.ne, inputs[0], _constant(0))
        case Cast() if step.dtype in ("float32", "float64"):
            return inputs[0]
        case Elementwise() if step.inputs == 1:
            return _pieces_of(step, inputs[0])
        case AtenOperator() if step.name in _RULES and not step.keywords:
            return _RULES[step.name](*(_argument(step, value, inputs) for value in step.arguments))
    raise _Unknown


def _argument(step: AtenOperator, value: Any, inputs: list[Pieces]) -> Pieces | None:
    if value is None:
        return None
    if isinstance(value, str) and value.startswith("@"):
        return inputs[int(value[1:])]
    if isinstance(value, str) and value.startswith("#"):
        return _number(step.get_buffer(f"constant_{value[1:]}"))
    return _constant(value)


def _number(value: Tensor) -> Pieces:
    first = value.flatten()[0]
    if not bool((value == first).all()):
        raise _Unknown
    return _constant(first.item())


def _constant(value: Any) -> Pieces:
    if not isinstance(value, (bool, int, float)) or value - value != 0:  # infinity and NaN
        raise _Unknown
    return Pieces((), ((Fraction(0), Fraction(value)),))


def _join(rule: Callable[..., Line], *functions: Pieces, more: Sequence[Fraction] = ()) -> Pieces:
    ends = tuple(sorted({*more, *(end for function in functions for end in function.ends)}))
    lines = [rule(*lines) for lines in zip(*(function.at(ends) for function in functions), strict=True)]
    return Pieces(ends, tuple(_on_point(line, ends[i // 2]) if i % 2 else line for i, line in enumerate(lines)))


def _on_point(line: Line, point: Fraction) -> Line:
    """Return the value of a line at a point, as a line."""
    return Fraction(0), line[0] * point + line[1]


def _plus(first: Line, second: Line) -> Line:
    return first[0] + second[0], first[1] + second[1]


def _minus(first: Line, second: Line) -> Line:
    return first[0] - second[0], first[1] - second[1]


def _times(first: Line, second: Line) -> Line:
    if first[0] and second[0]:
        raise _Unknown
    return first[0] * second[1] + second[0] * first[1], first[1] * second[1]


def _choose(condition: Pieces, first: Pieces, second: Pieces) -> Pieces:
    def rule(chosen: Line, yes: Line, no: Line) -> Line:
        return yes if chosen == ONE else no

    return _join(rule, condition, first, second)


def _compare(law: Callable[[Any, Any], bool], first: Pieces, second: Pieces) -> Pieces:
    """Return where the law holds, as 1 and 0; the difference keeps its sign between its zeros."""
    difference = _join(_minus, first, second)
    zeros = [-offset / slope for slope, offset in difference.lines[::2] if slope]
    difference = _join(lambda line: line, difference, more=zeros)
    ends = difference.ends
    truth = []
    for index, (slope, offset) in enumerate(difference.lines):
        truth.append(ONE if law(slope * _inside(ends, index) + offset, 0) else ZERO)
    return Pieces(ends, tuple(truth))


def _inside(ends: Sequence[Fraction], index: int) -> Fraction:
    """Return a point of the piece ``index``."""
    if not ends:
        return Fraction(0)
    if index % 2:
        return ends[index // 2]
    if index == 0 or index == 2 * len(ends):
        return ends[0] - 1 if index == 0 else ends[-1] + 1
    return (ends[index // 2 - 1] + ends[index // 2]) / 2


def _largest(first: Pieces, second: Pieces) -> Pieces:
    return _choose(_compare(operator.gt, first, second), first, second)


def _smallest(first: Pieces, second: Pieces) -> Pieces:
    return _choose(_compare(operator.lt, first, second), first, second)


def _not(condition: Pieces) -> Pieces:
    return _choose(_truth(condition), _constant(0), _constant(1))


def _truth(value: Pieces) -> Pieces:
    return _compare(operator.ne, value, _constant(0))


def _clamped(x: Pieces, low: Pieces | None = None, high: Pieces | None = None) -> Pieces:
    x = x if low is None else _largest(x, low)
    return x if high is None else _smallest(x, high)


def _simple(function: Pieces) -> Pieces:
    """Leave out the ends at which the function goes on as before."""
    ends, lines = [], [function.lines[0]]
    for index, end in enumerate(function.ends):
        on, above = function.lines[2 * index + 1 : 2 * index + 3]
        if above != lines[-1] or on != _on_point(above, end):
            ends.append(end)
            lines += [on, above]
    return Pieces(tuple(ends), tuple(lines))


_RULES: dict[str, Callable[..., Pieces]] = {
    **{
        name: lambda x, y, law=getattr(operator, name): _compare(law, x, y)
        for name in ("gt", "ge", "lt", "le", "eq", "ne")
    },
    "add": lambda x, y: _join(_plus, x, y),
    "sub": lambda x, y: _join(_minus, x, y),
    "rsub": lambda x, y: _join(_minus, y, x),
    "mul": lambda x, y: _join(_times, x, y),
    "neg": lambda x: _join(_minus, _constant(0), x),
    "abs": lambda x: _largest(x, _join(_minus, _constant(0), x)),
    "relu": lambda x: _largest(x, _constant(0)),
    "clamp": _clamped,
    "clamp_min": _clamped,
    "clamp_max": _smallest,
    "maximum": _largest,
    "minimum": _smallest,
    "where": lambda condition, x, y: _choose(_truth(condition), x, y),
    "masked_fill": lambda x, condition, value: _choose(_truth(condition), value, x),
    "logical_not": _not,
    "bitwise_not": _not,
    "logical_and": lambda x, y: _join(_times, _truth(x), _truth(y)),
    "bitwise_and": lambda x, y: _join(_times, _truth(x), _truth(y)),
    "logical_or": lambda x, y: _not(_join(_times, _not(x), _not(y))),
    "bitwise_or": lambda x, y: _not(_join(_times, _not(x), _not(y))),
    "isnan": lambda x: _compare(operator.ne, x, x),
}
"""What each operator makes of functions of straight pieces; truth is 1."""
