"""Thresholds for a program from a few images, as the stages of a conversion make them."""

from collections.abc import Iterable

from torch import Tensor

from seenn_convert.calibration.calibration import Calibration, from_statistics
from seenn_convert.calibration.observe import observe
from seenn_convert.calibration.rules import ThresholdRule
from seenn_convert.ir.program import Program


def calibrate(
    program: Program, batches: Iterable[Tensor], rule: ThresholdRule, per_channel: bool = True
) -> Calibration:
    """Return the thresholds that ``rule`` makes of what is observed on ``batches``."""
    statistics, images = observe(program, batches)
    return from_statistics(statistics, images, rule, per_channel)
