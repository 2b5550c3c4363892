"""Correct the mean output of every layer of neurons on the fitting part of the calibration data."""

import math

from torch import Tensor

from seenn_convert.analysis.own_thresholds import settled
from seenn_convert.calibration.timestep_bias import RATE, Form, fit_timestep_bias, without_bias_behind
from seenn_convert.ir.program import Program
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.shift_initial_potential import ShiftInitialPotential
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS, Session

BIAS_UPDATES, BIAS_IMAGES = 12, (32, 128)
"""Updates of the biases, and fewest and most images in each."""

BIAS_PASSES = 4
"""No image serves in more updates than this, however few there are; in a fast calibration each serves in one."""

BIAS_WORK = 2048
"""Images in an update times timesteps, where the bounds above allow it."""


def correct(session: Session, spiking: Program) -> Program:
    """Return the spiking program with the correction of its mean outputs that the options ask for."""
    form = session.options.chosen_correction
    if form == "none":
        return spiking
    biases = fit_bias(session, spiking, form)
    if not biases:
        return spiking
    if form == "potential":
        return run_passes(spiking, [ShiftInitialPotential({name: bias[0] for name, bias in biases.items()})])
    return run_passes(spiking, [InsertTimestepBias(biases)])


def fit_bias(session: Session, spiking: Program, form: Form = "timestep") -> dict[str, Tensor]:
    """Fit biases on the fitting part, in updates of a fixed number of images: the same for any batch size.

    The fewer updates there are, the larger is the share of the gap that each closes. A run that is longer than
    ``BIAS_TIMESTEPS`` ends without a bias, whatever its form: one that stayed would leave an error that no further
    timestep takes away.
    """
    options, fitting, (fewest, most) = session.options, session.split.fitting, BIAS_IMAGES
    timesteps = min(options.timesteps, BIAS_TIMESTEPS)
    still = settled(session.ann, spiking, session.levels)
    size = min(max(fewest, min(most, BIAS_WORK // timesteps)), len(fitting))
    passes = 1 if options.calibration == "fast" else BIAS_PASSES
    updates = min(BIAS_UPDATES, math.ceil(passes * len(fitting) / size))
    images = session.updates("correcting means", size, session.drawn(fitting, updates * size))
    rate = min(0.8, RATE * max(1.0, BIAS_UPDATES / 2 / updates))
    biases = fit_timestep_bias(session.ann, spiking, timesteps, images, rate, form, still)
    if timesteps < options.timesteps:
        return without_bias_behind(biases)
    return {name: bias[:1] for name, bias in biases.items()} if form == "bias" else biases
