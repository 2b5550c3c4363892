"""Choose between threshold rules by what each leaves at the outputs, corrected as the network will be."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from seenn_convert.calibration.calibration import Calibration
from seenn_convert.progress import Counter, Progress


def choose_thresholds(
    found: Sequence[Calibration], error: Callable[[Calibration], float], progress: Progress
) -> Calibration:
    """Return the calibration that leaves the smallest error at the outputs, with the errors of all in ``choice``.

    There is one calibration a rule in ``found``. ``error`` tells what it leaves with the correction that the network
    will have: biases for each timestep mend most of what small thresholds are good for, the unevenness of early
    timesteps, and nothing of what they clip.
    """
    left, counter = dict[str, float](), Counter(progress, "choosing thresholds", len(found))
    for one in found:
        left[one.rule] = error(one)
        counter.add(1)
    best = min(found, key=lambda one: left[one.rule])
    return replace(best, rule=f"auto: {best.rule}", choice=left)
