"""The choice between threshold rules: by the error that is left once the network has its biases."""

import pytest
import small_artifacts as small
from calibrating import calibrate

from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.output_error import output_errors, overall
from seenn_convert.calibration.rules import MaxRule, MseRule
from seenn_convert.calibration.threshold_choice import CLOSE, CONTENDERS, choose_thresholds
from seenn_convert.calibration.timestep_bias import Form
from seenn_convert.neurons.types import Signed

IMAGES = small.draw(40, 5)[0]


def candidates() -> list[Calibration]:
    return [calibrate(small.ann_program(), [IMAGES], rule) for rule in (MseRule(2), MseRule(4), MseRule(6), MaxRule())]


def choose(found: list[Calibration], correction: Form | None, told: list[tuple[str, int, int]]) -> Calibration:
    def progress(*what: object) -> None:
        told.append(what)  # type: ignore[arg-type]

    def error(one: Calibration, form: Form | None) -> float:
        ann = small.ann_program()
        return overall(output_errors(ann, ann, one.v_thresholds(), Signed(), 4, IMAGES, form))

    return choose_thresholds(found, error, correction, progress)


def test_without_a_correction_the_least_error_wins() -> None:
    told: list[tuple[str, int, int]] = []
    found = candidates()
    chosen = choose(found, None, told)
    ann = small.ann_program()
    errors = {one.rule: overall(output_errors(ann, ann, one.v_thresholds(), Signed(), 4, IMAGES)) for one in found}
    assert dict(chosen.choice) == errors
    assert chosen.rule == f"auto: {min(errors, key=lambda rule: errors[rule])}"
    assert told[-1] == ("choosing thresholds", 4, 4)


@pytest.mark.parametrize("form", ["timestep", "bias", "potential"])
def test_the_correction_decides_between_the_best(form: Form) -> None:
    """The best three rules are tried again with biases; the others are not."""
    told: list[tuple[str, int, int]] = []
    found = candidates()
    chosen = choose(found, form, told)
    plain = {one.rule: chosen.choice[one.rule] for one in found}
    ranked = sorted(plain, key=lambda rule: plain[rule])
    assert plain[ranked[2]] <= CLOSE * plain[ranked[0]]
    corrected = {rule: chosen.choice[f"{rule}, corrected"] for rule in ranked[:CONTENDERS]}
    assert len(chosen.choice) == 4 + CONTENDERS
    assert chosen.rule == f"auto: {min(corrected, key=lambda rule: corrected[rule])}"
    assert told[-1] == ("choosing thresholds with biases", 3, 3)
