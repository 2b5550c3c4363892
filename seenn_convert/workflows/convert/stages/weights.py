"""Tune the weights to the ANN's own activations, and keep them only if that helps (a deep calibration)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from seenn_convert.analysis.coverage import call_sites
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.calibration.output_error import divergence, output_errors, overall
from seenn_convert.calibration.rules import AutoRule
from seenn_convert.errors import CalibrationDataError
from seenn_convert.ir.program import Program
from seenn_convert.training.augment import augmented
from seenn_convert.training.reconstruct import Reconstruction, reconstruct
from seenn_convert.workflows.convert.session import Session
from seenn_convert.workflows.convert.stages.thresholds import observed, thresholds_by

JUDGING_IMAGES = (128, 256)
"""Fewest and most images on which tuned weights are judged, where there are so many."""

LEAST_FOR_WEIGHTS = 48
"""Fewest fitting images of a deep calibration."""

WEIGHT_UPDATES, WEIGHT_IMAGES = (250, 600), 48
"""Fewest and most updates of the weights, and images in each."""

WEIGHT_SHARES = (0.5, 1.0)
"""How much of what tuning moved is tried."""

WEIGHT_WORK, WEIGHT_PASSES = 25_000_000_000, 100
"""Updates times multiply-accumulates of the ANN for an image, where the bounds above allow it: some minutes. And in how
many updates an image serves at most, whatever the bounds."""


def tune_weights(session: Session, calibration: Calibration) -> tuple[Program, Calibration]:
    """Return the ANN to put neurons into, and its thresholds: tuned to the ANN's activations where that helps.

    Tuning starts from the finest levels, as it finds by itself what to clip. Whether it helps is judged by the answers
    on a quarter of the fitting images, which tune no weights; both networks get rough biases there first. It has to
    help over the prefixes of the run and not to harm its end: what early answers gain the last must not pay for. So
    weights half the way to the tuned ones are tried as well.

    Raises:
        CalibrationDataError: There are too few images.
    """
    ann, options = session.ann, session.options
    if options.calibration != "deep":
        return ann, calibration
    _check_enough(session)
    judging, tuning = session.split.fitting[::4], [i for n, i in enumerate(session.split.fitting) if n % 4]
    start = _start(session, calibration)
    found = _tuned(session, start, tuning)
    compared = session.choice_images(judging, JUDGING_IMAGES)

    def errors(program: Program, thresholds: Mapping[str, Tensor]) -> list[float]:
        neuron, form = options.neuron_type, session.compared_with(options.timesteps)
        return output_errors(ann, program, thresholds, neuron, options.timesteps, compared, form, divergence)

    before = errors(ann, calibration.v_thresholds())
    tried = [(share, found.up_to(share, ann, start.v_thresholds())) for share in WEIGHT_SHARES]
    after = [errors(one.ann, one.v_thresholds) for _, one in tried]
    best = min(range(len(tried)), key=lambda i: (after[i][-1] > before[-1], overall(after[i])))
    share, tuned = tried[best]
    helps = overall(after[best]) < overall(before) and after[best][-1] <= before[-1]
    facts: dict[str, list[float] | float | bool] = {
        "errors_before": before,
        "errors_after": after[best],
        "share": share,
        "kept": helps,
    }
    if not helps:
        return ann, replace(calibration, weights=facts)
    statistics, _ = observed(session, tuned.ann)
    return tuned.ann, replace(start.with_thresholds(tuned.v_thresholds, statistics), weights=facts)


def _check_enough(session: Session) -> None:
    fitting = len(session.split.fitting)
    if fitting < LEAST_FOR_WEIGHTS:
        raise CalibrationDataError(
            f"{len(session.data)} calibration images, of which {fitting} are for fitting, are too few to tune "
            "weights; give some hundreds, or take --calibration balanced"
        )


def _start(session: Session, calibration: Calibration) -> Calibration:
    """Return the thresholds that tuning starts from: those chosen, or where a rule was chosen the finest levels."""
    rule, start = session.options.rule, calibration
    if isinstance(rule, AutoRule):
        finest = rule.finest(session.options.timesteps, session.options.neuron_type.resolution)
        start = thresholds_by(finest, session, *observed(session))
    return replace(start, rule=f"tuned from {start.rule}", choice=calibration.choice)


def _tuned(session: Session, start: Calibration, tuning: Sequence[int]) -> Reconstruction:
    options, size = session.options, min(WEIGHT_IMAGES, len(tuning))
    updates = _updates(session.ann, len(tuning))
    generator = torch.Generator().manual_seed(options.seed)
    images = session.images("tuning weights", size, session.drawn(tuning, updates * size))
    moved = (augmented(image, generator, mirror=True) for image in images)
    levels = options.timesteps * options.neuron_type.resolution
    return reconstruct(session.ann, start.v_thresholds(), moved, updates, levels)


def _updates(ann: Program, images: int) -> int:
    """Return how many updates the weights get: the more, the smaller the network is and the more images there are."""
    fewest, most = WEIGHT_UPDATES
    updates = max(fewest, min(most, WEIGHT_WORK // max(1, sum(site.macs for site in call_sites(ann)))))
    return min(updates, math.ceil(WEIGHT_PASSES * images / WEIGHT_IMAGES))
