"""Fit the exit decision: all timesteps run once over the calibration data, and everything is read from that."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.schema.conversion import CalibrationFacts, ValidationFacts
from seenn_convert.artifact.schema.evaluation import ThreeRuns
from seenn_convert.artifact.schema.shared import AnnRight
from seenn_convert.choices import Reference
from seenn_convert.data.checks import checked_labels, classes_of
from seenn_convert.data.samples import Samples, draw_of
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.step_time import StepTime, time_for
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import ExitTuning, tune_exit
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.measure.ann_confidence import ann_confidence
from seenn_convert.measure.costs import expected_energy, run_counted
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.lower_precision import in_precision
from seenn_convert.passes.sequence import probe_pass
from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.session import Session

ESTIMATED_IMAGES = 16
"""Held-out images from which the energy is estimated."""


def fit_exit(session: Session, spiking: Program, reference: Program | None) -> ExitTuning:
    """Run the data of the session through all timesteps once and fit the exit decision to it.

    Early exit is compared with the answers of the ANN ``reference``; if it is None, with those after all timesteps.
    """
    unscaled = torch.ones(session.options.timesteps, dtype=session.ann.input_dtype)
    probed = run_passes(spiking, [probe_pass(session.ann, session.options.exit_score, unscaled)])
    return fit_probed(session, probed, reference)


def fit_probed(session: Session, probed: Program, reference: Program | None) -> ExitTuning:
    """Do the same with a network that has an exit probe already, whose temperatures play no part."""
    data, options = session.data, session.options
    computed = in_precision(probed, options.precision)
    model = SpikingModel(computed, options.timesteps, FixedPolicy(options.timesteps)).to(options.device)
    target, step_time = _in_timesteps(session, model)
    with torch.no_grad():
        ann_logits = None
        if reference is not None:
            ann_logits = run_ann(reference, data, images_together(reference, options.batch_size), session.progress)
        counter = session.counter("tuning the exit", len(data))
        images = (image for image, _ in data.batches(rows_together(probed, options.batch_size)))
        floor = rows_together(probed, ROW_FLOOR)  # rows are not added where fewer fill the memory
        labels = None if data.labels is None else checked_labels(data, classes_of(probed))
        readouts = collect_readouts(
            model, images, ann_logits, labels, keep_logits=True, row_floor=floor, progress=counter.add
        )
    readouts = readouts.with_reference()
    return replace(tune_exit(readouts, session.split, target, options.exit_score, options.certify), step_time=step_time)


def _in_timesteps(session: Session, model: SpikingModel) -> tuple[ExitTarget | None, StepTime | None]:
    """Return the target, a time turned into timesteps, and what stem and step cost where that had to be measured."""
    target = session.options.target
    if target is None or target.milliseconds is None:
        return target, None
    images = next(session.data.batches(rows_together(model.program, session.options.batch_size)))[0]
    found = time_for(target, model, images)
    return ExitTarget(timesteps=found.timesteps), found


def estimated_energy(
    session: Session, model: SpikingModel, exit_counts: Sequence[int], reference: Reference = "ann"
) -> ThreeRuns:
    """Return the energy estimated from what some held-out images do, if images leave as ``exit_counts`` say."""
    few, size = session.split.held_out[:ESTIMATED_IMAGES], session.options.batch_size
    with torch.no_grad():
        _, counts = run_counted(model, (image for image, _ in session.data.batches(size, few)), lambda done: None)
    return expected_energy(session.ann, counts, exit_counts, reference)


def calibration_facts(session: Session, tuning: ExitTuning) -> CalibrationFacts:
    """Return the data of a conversion, how it was split, and what the ANN answers on it."""
    data, exits = session.data, session.validation
    logits = tuning.ann_logits if exits is None else _ann_logits(session)
    right = _ann_right(logits, data.labels)
    return CalibrationFacts(
        name=Path(data.name).name,
        images=len(data),
        labelled=tuning.labelled,
        fitting_images=len(session.split.fitting),
        held_out_images=len(session.split.held_out),
        ann_right=None if right is None else AnnRight(of="calibration", images=len(data), right=right),
        ann_confidence=ann_confidence(logits, data.labels),
        validation=None if exits is None else exit_facts(session.exits, tuning),
        drawn_from=_drawn_from(data),
    )


def exit_facts(session: Session, tuning: ExitTuning) -> ValidationFacts:
    """Return the exit images, which are the data of the ``session``, how they were split, and the ANN's answers."""
    data, right = session.data, tuning.ann_right
    return ValidationFacts(
        name=Path(data.name).name,
        images=len(data),
        fitting_images=len(session.split.fitting),
        held_out_images=len(session.split.held_out),
        ann_right=None if right is None else AnnRight(of="validation", images=len(data), right=right),
        ann_confidence=ann_confidence(tuning.ann_logits, data.labels),
        drawn_from=_drawn_from(data),
    )


def _drawn_from(data: Samples) -> int | None:
    """Return how many images these were drawn from, None if they are all that were given."""
    draw = draw_of(data)
    return None if draw is None else draw.images


def _ann_logits(session: Session) -> Tensor:
    """Return what the ANN says of the calibration images."""
    ann = session.ann
    with torch.no_grad():
        return run_ann(ann, session.data, images_together(ann, session.options.batch_size), session.progress)


def _ann_right(logits: Tensor, labels: Tensor | None) -> int | None:
    """Return on how many images the ANN is right, None without labels."""
    return None if labels is None else int((logits.argmax(dim=-1) == labels).sum())
