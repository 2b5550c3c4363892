"""Choose the firing thresholds on the fitting part of the calibration data."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.analysis.own_thresholds import own_thresholds
from seenn_convert.calibration.calibration import Calibration, from_statistics
from seenn_convert.calibration.observe import observe
from seenn_convert.calibration.output_error import output_errors, overall
from seenn_convert.calibration.rules import AutoRule, ThresholdRule
from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.calibration.threshold_choice import choose_thresholds
from seenn_convert.ir.program import Program
from seenn_convert.workflows.convert.session import Session


def calibrate_thresholds(session: Session) -> Calibration:
    """Return the thresholds of the rule asked for, or of the one that is best at the outputs."""
    options, statistics, images = session.options, *observed(session)
    if not isinstance(options.rule, AutoRule):
        return thresholds_by(options.rule, session, statistics, images)
    resolution = options.neuron_type.resolution
    if options.calibration == "fast":
        return thresholds_by(options.rule.middle(options.timesteps, resolution), session, statistics, images)
    rules = options.rule.candidates(options.timesteps, resolution)
    ann, horizon, compared = session.ann, session.horizon, session.choice_images(session.split.fitting)
    form = session.compared_with(horizon)

    def error(one: Calibration) -> float:
        return overall(output_errors(ann, ann, one.v_thresholds(), options.neuron_type, horizon, compared, form))

    found = [thresholds_by(rule, session, statistics, images) for rule in rules]
    return choose_thresholds(found, error, session.progress)


def thresholds_by(
    rule: ThresholdRule, session: Session, statistics: Mapping[str, ActivationStatistics], images: int
) -> Calibration:
    """Return the thresholds that ``rule`` makes of what was observed on ``images`` images.

    A quantised activation keeps its own, if the run can tell its levels apart.
    """
    found = from_statistics(statistics, images, rule, session.options.per_channel)
    own = own_thresholds(session.ann, session.levels)
    if not own:
        return found
    thresholds = found.v_thresholds()
    thresholds |= {name: torch.full_like(thresholds[name], value) for name, value in own.items()}
    return found.with_thresholds(thresholds, statistics)


def observed(session: Session, ann: Program | None = None) -> tuple[dict[str, ActivationStatistics], int]:
    """Return the statistics of the activations on the fitting part, and its number of images.

    They are those of the session's ANN or of another program ``ann`` with the same activations.
    """
    program, fitting = ann or session.ann, session.split.fitting
    counter = session.counter("calibrating", len(fitting))

    def images() -> Iterator[Tensor]:
        for image, _ in session.data.batches(images_together(program, session.options.batch_size), fitting):
            yield image
            counter.add(len(image))

    return observe(program, images(), fitting)
