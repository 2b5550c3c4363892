"""Choose between threshold rules by what each leaves at the outputs, corrected as the network will be."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.timestep_bias import Form
from seenn_convert.progress import Counter, Progress

CONTENDERS, CLOSE = 3, 2.0
"""How many rules are tried with their correction, and how many times the least error any of them may leave."""


def choose_thresholds(
    found: Sequence[Calibration],
    error: Callable[[Calibration, Form | None], float],
    correction: Form | None,
    progress: Progress,
) -> Calibration:
    """Return the calibration that leaves the smallest error at the outputs, with the errors of all in ``choice``.

    Biases for each timestep mend most of what small thresholds are good for, the unevenness of early timesteps, and
    nothing of what they clip. So the best rules are tried again with a first correction, and that decides.

    There is one calibration a rule in ``found``. ``error`` tells what it leaves, with biases of a form or without;
    ``correction`` is the form that the network will have, if any.
    """

    def errors(stage: str, among: Sequence[Calibration], form: Form | None = None) -> dict[str, float]:
        left, counter = dict[str, float](), Counter(progress, stage, len(among))
        for one in among:
            left[one.rule] = error(one, form)
            counter.add(1)
        return left

    plain = errors("choosing thresholds", found)
    ranked = sorted(found, key=lambda one: plain[one.rule])
    contenders = [one for one in ranked[:CONTENDERS] if plain[one.rule] <= CLOSE * plain[ranked[0].rule]]
    if correction is None or len(contenders) == 1:
        return replace(ranked[0], rule=f"auto: {ranked[0].rule}", choice=plain)
    after = errors("choosing thresholds with biases", contenders, correction)
    best = min(contenders, key=lambda one: after[one.rule])
    return replace(
        best, rule=f"auto: {best.rule}", choice=plain | {f"{rule}, corrected": left for rule, left in after.items()}
    )
