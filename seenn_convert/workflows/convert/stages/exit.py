"""Fit the exit decision: all timesteps run once over the calibration data, and everything is read from that."""

from dataclasses import replace

import torch

from seenn_convert.analysis.memory import images_together
from seenn_convert.data.checks import checked_labels
from seenn_convert.exits.step_time import StepTime, time_for
from seenn_convert.exits.thresholds import NEVER, ExitTarget
from seenn_convert.exits.tune import ExitTuning, tune_exit
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.ann import run_ann
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.sequence import probe_pass
from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.policies import SCORE_POLICIES
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.workflows.convert.session import Session


def fit_exit(session: Session, spiking: Program) -> ExitTuning:
    """Run the calibration set through all timesteps once and fit the exit decision to it."""
    ann, data, options = session.ann, session.data, session.options
    probed = run_passes(spiking, [probe_pass(ann, options.score, torch.ones(options.timesteps, dtype=ann.input_dtype))])
    model = SpikingModel(probed, options.timesteps, SCORE_POLICIES[options.score]((NEVER,)))
    model.to(options.device)
    target, step_time = _in_timesteps(session, model)
    with torch.no_grad():
        ann_logits = run_ann(ann, data, images_together(ann, options.batch_size), session.progress)
        counter = session.counter("tuning the exit", len(data))
        images = (image for image, _ in data.batches(rows_together(probed, options.batch_size)))
        floor = rows_together(probed, ROW_FLOOR)  # rows are not added where fewer fill the memory
        run = run_all_timesteps(model, images, True, floor, counter.add)
    labels = None if data.labels is None else checked_labels(data, ann_logits.shape[-1])
    tuning = tune_exit(run, ann_logits, labels, session.split, target, options.score, options.certify)
    return replace(tuning, step_time=step_time)


def _in_timesteps(session: Session, model: SpikingModel) -> tuple[ExitTarget | None, StepTime | None]:
    """Return the target, a time turned into timesteps, and what stem and step cost where that had to be measured."""
    target = session.options.target
    if target is None or target.milliseconds is None:
        return target, None
    images = next(session.data.batches(rows_together(model.program, session.options.batch_size)))[0]
    found = time_for(target, model, images)
    return ExitTarget(timesteps=found.timesteps), found
