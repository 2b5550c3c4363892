"""Choose between threshold rules by what each leaves at the outputs, corrected as the network will be."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.output_error import output_errors, overall
from seenn_convert.calibration.timestep_bias import Form
from seenn_convert.ir.program import Program
from seenn_convert.neurons.types import NeuronType
from seenn_convert.progress import Counter, Progress

CONTENDERS, CLOSE = 3, 2.0
"""How many rules are tried with their correction, and how many times the least error any of them may leave."""


def choose_thresholds(
    ann: Program,
    found: Sequence[Calibration],
    neuron_type: NeuronType,
    timesteps: int,
    images: Tensor,
    correction: Form | None,
    progress: Progress,
) -> Calibration:
    """Return the calibration that leaves the smallest error at the outputs, with the errors of all in ``choice``.

    Biases for each timestep mend most of what small thresholds are good for, the unevenness of early timesteps, and
    nothing of what they clip. So the best rules are tried again with a first correction, and that decides.

    Args:
        ann: After the passes of stage ANN.
        found: One calibration a rule.
        neuron_type: Makes the neurons.
        timesteps: Up to which the run has to be good.
        images: ``(B, *input_shape)``, of the fitting part.
        correction: Form of the biases that the network will have, None where it has none.
        progress: Told about each rule tried.
    """
    errors, counter = dict[str, float](), Counter(progress, "choosing thresholds", len(found))
    for one in found:
        errors[one.rule] = overall(output_errors(ann, ann, one.v_thresholds(), neuron_type, timesteps, images))
        counter.add(1)
    ranked = sorted(found, key=lambda one: errors[one.rule])
    contenders = [one for one in ranked[:CONTENDERS] if errors[one.rule] <= CLOSE * errors[ranked[0].rule]]
    best = ranked[0]
    if correction is not None and len(contenders) > 1:
        after, counter = dict[str, float](), Counter(progress, "choosing thresholds with biases", len(contenders))
        for one in contenders:
            errors_of = output_errors(ann, ann, one.v_thresholds(), neuron_type, timesteps, images, correction)
            after[one.rule] = overall(errors_of)
            counter.add(1)
        best = min(contenders, key=lambda one: after[one.rule])
        errors |= {f"{rule}, corrected": error for rule, error in after.items()}
    return replace(best, rule=f"auto: {best.rule}", choice=errors)
