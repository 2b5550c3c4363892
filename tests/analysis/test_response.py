"""Asking a function for its values tells which activation it is, and nothing else passes for one."""

import pytest
import torch
from torch import Tensor

from seenn_convert.analysis.response import MOST_LEVELS, Function, response

SIZES = torch.tensor([0.03, 0.7, 1.0, 250.0], dtype=torch.float64)


def in_levels(x: Tensor, maximum: Tensor, levels: int) -> Tensor:
    return torch.floor(x / maximum * levels + 0.5).clamp(0, levels) * maximum / levels


@pytest.mark.parametrize("levels", [2, 3, 4, 15, 255, MOST_LEVELS])
def test_threshold_and_levels_of_a_rounded_activation(levels: int) -> None:
    found = response(lambda x: in_levels(x, SIZES, levels), len(SIZES))

    assert found is not None and found.levels == levels
    assert torch.allclose(found.maximum, SIZES, rtol=1e-9)
    assert not found.shift.any() and (found.scale == 1).all() and not found.is_plain


def test_the_maximum_of_a_clipped_activation() -> None:
    found = response(lambda x: x.clamp(min=0).minimum(SIZES), len(SIZES))

    assert found is not None and found.levels is None and torch.allclose(found.maximum, SIZES, rtol=1e-9)


def test_a_relu_has_no_maximum() -> None:
    found = response(lambda x: (x + x.abs()) / 2, 1)
    assert found is not None and found.is_plain and found.maximum.isinf().all()


def test_a_scale_behind_and_a_shift_in_front_are_told_apart() -> None:
    """``3 * f(x - 0.2)``, where f is rounded to fifths of 2."""
    found = response(lambda x: 3 * in_levels(x - 0.2, torch.tensor(2.0, dtype=torch.float64), 5), 1)

    assert found is not None and found.levels == 5
    numbers = (float(one[0]) for one in (found.maximum, found.shift, found.scale))
    assert tuple(numbers) == pytest.approx((2.0, -0.2, 3.0), rel=1e-9)


def test_rounding_down_is_rounding_half_a_level_lower() -> None:
    found = response(lambda x: torch.floor(x.clamp(0, 1) * 4) / 4, 1)
    assert found is not None and float(found.shift) == pytest.approx(-1 / 8, rel=1e-9)


OTHERS: dict[str, Function] = {
    "identity": lambda x: x,
    "constant": torch.ones_like,
    "falling": lambda x: (-x).clamp(0, 1),
    "from below zero": lambda x: x.clamp(-1, 1),
    "leaky": lambda x: torch.where(x > 0, x, 0.1 * x),
    "unclipped rounding": torch.round,
    "one level": lambda x: (x > 0.5).double(),
    "too many levels": lambda x: in_levels(x, SIZES[:1], 4 * MOST_LEVELS),
    "uneven steps": lambda x: in_levels(x, SIZES[2:3], 4).square(),
    "uneven widths": lambda x: in_levels(x.clamp(min=0).sqrt(), SIZES[2:3], 4),
    "a bump": lambda x: x.clamp(0, 1) + 0.3 * ((x > 0.4) & (x < 0.41)),
    "clipped square": lambda x: x.clamp(0, 1).square(),
    "sigmoid": torch.sigmoid,
    "a bound that keeps a quotient finite": lambda x: x.clamp(min=1e-12),
    "a small bound and a large one": lambda x: x.clamp(1e-12, 6),
    "not a number": lambda x: x / 0 * 0,
    "columns of different levels": lambda x: torch.cat([in_levels(x[:, :1], SIZES[2:3], 4), in_levels(x[:, 1:], SIZES[2:3], 5)], 1),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_none(name: str) -> None:
    assert response(OTHERS[name], 2 if name.startswith("columns") else 1) is None


@pytest.mark.parametrize("least", [1e-12, 1e-8, 1e-5])
def test_a_bound_just_above_zero_is_no_rectifier(least: float) -> None:
    """It keeps a quotient finite, as the length in ``normalize`` has one."""
    assert response(lambda x: x.clamp(min=least), 1) is None
    assert response(lambda x: x.clamp(least, 6.0), 1) is None


THRESHOLDS = [sign * 10.0**-power for power in range(1, 7) for sign in (1, -1)]


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e3])
def test_a_rectifier_with_a_threshold_of_its_own_is_no_rectifier(threshold: float, scale: float) -> None:
    """What lies between 0 and the threshold is cut off, or let through below 0."""
    assert response(lambda x: scale * torch.where(x > threshold, x, 0.0), 1) is None
    assert response(lambda x: scale * torch.where(x > threshold, x, 0.0).clamp(max=6.0), 1) is None
    assert response(lambda x: scale * torch.where(x - 2 > threshold, x - 2, 0.0).clamp(max=6.0), 1) is None


def test_a_rectifier_by_way_of_sums_is_one() -> None:
    found = response(lambda x: (x + 100).clamp(min=100) - 100, 1)
    assert found is not None and found.is_plain
