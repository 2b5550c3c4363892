"""A clamp whose lower bound no activation comes near is kept as a clamp; an activation function stays neurons."""

import harness
import pytest
import toys
from torch.nn import functional as F

from seenn_convert.ir.editor import Draft
from seenn_convert.ir.program import Program
from seenn_convert.passes.clamps import moved_clips
from seenn_convert.passes.release_clamps import NEAR, ReleaseClamps


def clamped(low: float, high: float) -> Program:
    return harness.as_program(toys.toy(lambda m, x: F.hardtanh(m.conv(x), low, high).flatten(1), conv=toys.conv()))


def kinds(program: Program) -> list[str]:
    return [getattr(module, "name", type(module).__name__) for _, module in program.calls()][1:-1]


@pytest.mark.parametrize(("least", "most"), [(-2.0, 2.0), (-1.0, 30.0 / NEAR - 100)])
def test_a_far_lower_bound_is_released(least: float, most: float) -> None:
    program = clamped(-10, 8)
    (clip,) = moved_clips(Draft(program))

    assert (clip.low, clip.high) == (-10, 8)
    assert kinds(harness.check_pass(ReleaseClamps({clip.result.name: (least, most)}), program)) == ["clamp"]


@pytest.mark.parametrize(("least", "most"), [(-10.0, 1.0), (-9.5, 9.0), (-30.0, 30.0)])
def test_where_activations_come_near_it_stays(least: float, most: float) -> None:
    program = clamped(-10, 8)
    (clip,) = moved_clips(Draft(program))
    after = harness.check_pass(ReleaseClamps({clip.result.name: (least, most)}), program)

    assert kinds(after) == ["Affine", "ClippedReLU", "Affine"]
    assert "come near its lower bound of -10" in after.history[-1].declined[0][1]


def test_only_a_moved_rectifier_is_a_moved_clip() -> None:
    model = toys.toy(lambda m, x: (F.hardtanh(m.conv(x) + 1, 0, 2) - 0.5).flatten(1), conv=toys.conv())

    assert not list(moved_clips(Draft(harness.as_program(model))))
