"""Correct the mean output of every layer of neurons on the fitting part of the calibration data."""

from torch import Tensor

from seenn_convert.analysis.own_thresholds import settled
from seenn_convert.calibration.timestep_bias import Form, fit_timestep_bias, without_bias_behind
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_fitted_together
from seenn_convert.passes.base import run_passes
from seenn_convert.passes.insert_timestep_bias import InsertTimestepBias
from seenn_convert.passes.shift_initial_potential import ShiftInitialPotential
from seenn_convert.workflows.convert.session import BIAS_TIMESTEPS, Session

BIAS_IMAGES = (48, 256)
"""Fewest and most images that biases are fitted to."""

BIAS_WORK = 3e11
"""Multiply-accumulates of all timesteps of these images, where the bounds above allow it."""


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
    """Fit biases on the fitting part, to images that the seed draws: the same for any batch size.

    A run that is longer than ``BIAS_TIMESTEPS`` ends without a bias, whatever its form: one that stayed would leave an
    error that no further timestep takes away.
    """
    timesteps = min(session.options.timesteps, BIAS_TIMESTEPS)
    still = settled(session.ann, spiking, session.levels)
    chosen = session.some(session.split.fitting, BIAS_WORK, BIAS_IMAGES, timesteps)
    images = session.images("correcting means", rows_fitted_together(spiking, len(chosen)), chosen)
    biases = fit_timestep_bias(session.ann, spiking, timesteps, images, form, still)
    if timesteps < session.options.timesteps:
        return without_bias_behind(biases)
    return {name: bias[:1] for name, bias in biases.items()} if form == "bias" else biases
