"""The choice between threshold rules: by the error that is left once the network has its biases."""

import pytest
import small_artifacts as small
from calibrating import calibrate

from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.output_error import output_errors, overall
from seenn_convert.calibration.rules import MaxRule, MseRule
from seenn_convert.calibration.threshold_choice import choose_thresholds
from seenn_convert.calibration.timestep_bias import Form
from seenn_convert.neurons.types import Signed

IMAGES = small.draw(40, 5)[0]


def candidates() -> list[Calibration]:
    return [calibrate(small.ann_program(), [IMAGES], rule) for rule in (MseRule(2), MseRule(4), MseRule(6), MaxRule())]


@pytest.mark.parametrize("form", [None, "timestep", "bias", "potential"])
def test_the_least_error_with_the_correction_wins(form: Form | None) -> None:
    told: list[tuple[str, int, int]] = []
    found, ann = candidates(), small.ann_program()

    def progress(*what: object) -> None:
        told.append(what)  # type: ignore[arg-type]

    def error(one: Calibration) -> float:
        return overall(output_errors(ann, ann, one.v_thresholds(), Signed(), 4, IMAGES, form))

    chosen = choose_thresholds(found, error, progress)
    errors = {one.rule: error(one) for one in found}
    assert dict(chosen.choice) == errors
    assert chosen.rule == f"auto: {min(errors, key=lambda rule: errors[rule])}"
    assert told[-1] == ("choosing thresholds", 4, 4)
