"""What a timestep costs on this machine, and how many of them a time allows."""

import statistics
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.errors import InputError
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.rows import ROW_FLOOR, pad_rows
from seenn_convert.runtime.engine import unroll
from seenn_convert.runtime.overwriting import fast_step, own_start
from seenn_convert.runtime.spiking_model import SpikingModel
from seenn_convert.runtime.stopwatch import timed

REPEATS = 15
"""Each of stem and step is timed as often."""

WARM_UP = 3
"""Steps before the first that counts: allocators and kernels settle."""


@dataclass(frozen=True)
class StepTime:
    """Milliseconds per image, as medians.

    Attributes:
        stem: Of what runs once per image.
        step: Of one timestep.
        batch_size: Images that ran together.
        repeats: Measurements of each.
        device: Where.
        threads: Of the processor.
        timesteps: Average timesteps that the time allows.
    """

    stem: float
    step: float
    batch_size: int
    repeats: int
    device: str
    threads: int
    timesteps: float


def time_for(target: ExitTarget, model: SpikingModel, images: Tensor) -> StepTime:
    """Return what stem and step cost on ``images``, and how many timesteps the target's milliseconds allow.

    Raises:
        InputError: The stem and one timestep take longer.
    """
    found = step_time(target, model, images)
    if found.timesteps < 1:
        raise out_of_reach(target, found)
    return found


def out_of_reach(target: ExitTarget, found: StepTime) -> InputError:
    """Return the error for a target whose milliseconds do not allow one timestep."""
    stem, step = found.stem, found.step
    return InputError(
        f"a target of {target.milliseconds:g} ms per image is out of reach: the stem ({stem:.3g} ms) and one "
        f"timestep ({step:.3g} ms) take {stem + step:.3g} ms here, {found.batch_size} images together on "
        f"{found.device}; allow more time, or change --batch-size or --device"
    )


def step_time(target: ExitTarget, model: SpikingModel, images: Tensor) -> StepTime:
    """Return what ``time_for`` does, fewer than one timestep included.

    Stem and step are timed in turn, so that a change of the machine's speed meets both. The ``images``
    ``(B, *input_shape)`` run together, as in early exit.
    """
    assert target.milliseconds is not None
    stem, step = (1000 * seconds / len(images) for seconds in _medians(model, images))
    timesteps = min(float(model.timesteps), (target.milliseconds - stem) / step)
    return StepTime(stem, step, len(images), REPEATS, str(model.device), torch.get_num_threads(), timesteps)


def _medians(model: SpikingModel, images: Tensor) -> tuple[float, float]:
    """Return median seconds of the stem and of a step, of the whole batch."""
    rows = pad_rows(images.to(model.device, model.dtype), ROW_FLOOR)
    stem, step = list[float](), list[float]()
    drive = timed(lambda t: model.drive(rows), model.device, stem)
    with torch.no_grad():
        make = timed(fast_step(model), model.device, step)
        unroll(make, drive, own_start(model, len(rows)), WARM_UP + REPEATS)
    return statistics.median(stem[WARM_UP:]), statistics.median(step[WARM_UP:])
