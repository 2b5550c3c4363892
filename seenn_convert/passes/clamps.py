"""Clips in a program: what bounds its input by two numbers, whether in one call or in three."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from torch import fx, nn

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.operators import Affine, AtenOperator, ClippedReLU


@dataclass(frozen=True)
class Clip:
    """``clamp(x, low, high)``.

    Attributes:
        calls: The calls that compute it, in order: one, or the three of a rectifier that is moved by ``low``.
        low: Lower bound, minus infinity if there is none.
        high: Upper bound, infinity if there is none.
        rectifies: Whether a rectifier computes it, which becomes neurons.
    """

    calls: tuple[fx.Node, ...]
    low: float
    high: float
    rectifies: bool

    @property
    def source(self) -> fx.Node:
        """What it reads."""
        return self.calls[0].all_input_nodes[0]

    @property
    def result(self) -> fx.Node:
        """What it returns."""
        return self.calls[-1]


def clip_at(draft: Draft, node: fx.Node) -> Clip | None:
    """Return the clip whose result is ``node``, None where there is none."""
    match draft.module_at(node):
        case nn.ReLU():
            return Clip((node,), 0.0, math.inf, True)
        case ClippedReLU(maximum=maximum):
            return Clip((node,), 0.0, maximum, True)
        case AtenOperator(name="clamp", arguments=("@0", *bounds), keywords=()):
            return _clamp(node, (*bounds, None)[:2])
        case Affine():
            return _moved(draft, node)
        case _:
            return None


def moved_clips(draft: Draft) -> Iterator[Clip]:
    """Yield the clips that are rectifiers moved by their lower bound."""
    for node, _ in draft.modules_of(Affine):
        found = _moved(draft, node)
        if found is not None:
            yield found


def _clamp(node: fx.Node, bounds: tuple[object, ...]) -> Clip | None:
    if not all(bound is None or isinstance(bound, (int, float)) for bound in bounds):
        return None
    low, high = bounds
    return Clip((node,), -math.inf if low is None else low, math.inf if high is None else high, False)  # type: ignore[arg-type]


def _moved(draft: Draft, last: fx.Node) -> Clip | None:
    """Return the clip ``x -> + shift -> clipped rectifier -> - shift`` that ends at ``last``."""
    middle = draft.source_of(last)
    rectifier = draft.module_at(middle)
    if type(rectifier) is not ClippedReLU or len(middle.users) > 1:
        return None
    first = draft.source_of(middle)
    there, back = _shift(draft, first), _shift(draft, last)
    if there is None or back is None or there != -back or len(first.users) > 1:
        return None
    return Clip((first, middle, last), back, back + rectifier.maximum, False)


def _shift(draft: Draft, node: fx.Node) -> float | None:
    """Return the number that an affine call adds, None where it does more."""
    module = draft.module_at(node)
    if not isinstance(module, Affine) or module.shift.numel() != 1 or bool((module.scale != 1).any()):
        return None
    return float(module.shift)
