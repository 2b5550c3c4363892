"""Fit the exit decision: all timesteps run once over the calibration data, and everything is read from that."""

from dataclasses import replace
from pathlib import Path

import torch

from seenn_convert.analysis.memory import images_together
from seenn_convert.artifact.schema.conversion import CalibrationFacts, ValidationFacts
from seenn_convert.artifact.schema.shared import AnnRight
from seenn_convert.data.checks import checked_labels
from seenn_convert.data.samples import Samples, draw_of
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.step_time import StepTime, time_for
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import ExitTuning, tune_exit
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import probe_pass
from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.policies import FixedPolicy
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.session import Session


def fit_exit(session: Session, spiking: Program) -> ExitTuning:
    """Run the calibration set through all timesteps once and fit the exit decision to it."""
    ann, data, options = session.ann, session.data, session.options
    score, unscaled = options.exit_score, torch.ones(options.timesteps, dtype=ann.input_dtype)
    probed = run_passes(spiking, [probe_pass(ann, score, unscaled)])
    model = SpikingModel(probed, options.timesteps, FixedPolicy(options.timesteps)).to(options.device)
    target, step_time = _in_timesteps(session, model)
    with torch.no_grad():
        ann_logits = run_ann(ann, data, images_together(ann, options.batch_size), session.progress)
        counter = session.counter("tuning the exit", len(data))
        images = (image for image, _ in data.batches(rows_together(probed, options.batch_size)))
        floor = rows_together(probed, ROW_FLOOR)  # rows are not added where fewer fill the memory
        labels = None if data.labels is None else checked_labels(data, ann_logits.shape[-1])
        readouts = collect_readouts(
            model, images, ann_logits, labels, keep_logits=True, row_floor=floor, progress=counter.add
        )
    return replace(tune_exit(readouts, session.split, target, score, options.certify), step_time=step_time)


def _in_timesteps(session: Session, model: SpikingModel) -> tuple[ExitTarget | None, StepTime | None]:
    """Return the target, a time turned into timesteps, and what stem and step cost where that had to be measured."""
    target = session.options.target
    if target is None or target.milliseconds is None:
        return target, None
    images = next(session.data.batches(rows_together(model.program, session.options.batch_size)))[0]
    found = time_for(target, model, images)
    return ExitTarget(timesteps=found.timesteps), found


def calibration_facts(session: Session, tuning: ExitTuning) -> CalibrationFacts:
    """Return the data of a conversion, how it was split, and how often the ANN is right on it."""
    data, exits = session.data, session.exits
    right = tuning.ann_right if session.validation is None else _ann_right(session)
    return CalibrationFacts(
        name=Path(data.name).name,
        images=len(data),
        labelled=tuning.labelled,
        fitting_images=len(session.split.fitting),
        held_out_images=len(session.split.held_out),
        ann_right=None if right is None else AnnRight(of="calibration", images=len(data), right=right),
        validation=None if session.validation is None else ValidationFacts(
            name=Path(exits.data.name).name,
            images=len(exits.data),
            fitting_images=len(exits.split.fitting),
            held_out_images=len(exits.split.held_out),
            ann_right=AnnRight(of="validation", images=len(exits.data), right=tuning.ann_right or 0),
            drawn_from=_drawn_from(exits.data),
        ),
        drawn_from=_drawn_from(data),
    )  # fmt: skip


def _drawn_from(data: Samples) -> int | None:
    """Return how many images these were drawn from, None if they are all that were given."""
    draw = draw_of(data)
    return None if draw is None else draw.images


def _ann_right(session: Session) -> int | None:
    """Return on how many of the calibration images the ANN is right, None without labels."""
    ann, labels = session.ann, session.data.labels
    if labels is None:
        return None
    with torch.no_grad():
        logits = run_ann(ann, session.data, images_together(ann, session.options.batch_size), session.progress)
    return int((logits.argmax(dim=-1) == labels).sum())
