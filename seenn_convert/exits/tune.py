"""Fit the exit decision on calibration data: temperatures and thresholds on one part, their price on the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.choices import Risk
from seenn_convert.exits.certificates.certificate import Certificate, Certify, last_certified, make_certificate
from seenn_convert.exits.certificates.risk import exit_losses
from seenn_convert.exits.choose import Setting, choose, judged
from seenn_convert.exits.readouts import Readouts
from seenn_convert.exits.step_time import StepTime
from seenn_convert.exits.thresholds import ExitTarget, careful_to_fast, full_run
from seenn_convert.ir.scores import ExitScore
from seenn_convert.runtime.policies import ExitPolicy


@dataclass(frozen=True)
class Split:
    """Positions in the calibration set: those that thresholds and temperatures are fitted on, and those held out."""

    fitting: tuple[int, ...]
    held_out: tuple[int, ...]


@dataclass(frozen=True)
class ExitTuning:
    """The exit decision and what it was fitted to.

    Attributes:
        temperatures: ``(T,)`` softmax temperature at each timestep.
        policy: The score and its thresholds.
        choice: What they do on the held-out images.
        labelled: Whether labels were used; otherwise the ANN's answers stand in for them.
        held_out: Measured shares right on the held-out images.
        exit_counts: How many of the held-out images left at each timestep.
        ann_logits: Of all calibration images, ``(N, K)``.
        certificate: What leaving early costs at most, where that was asked for.
        step_time: Milliseconds of stem and step, where the target is a time.
        ann_right: On how many of all the images the ANN is right; None without labels.
    """

    temperatures: Tensor
    policy: ExitPolicy
    choice: Setting
    labelled: bool
    held_out: dict[str, float]
    exit_counts: tuple[int, ...]
    ann_logits: Tensor
    certificate: Certificate | None = None
    step_time: StepTime | None = None
    ann_right: int | None = None


def split_calibration(images: int, seed: int, held_out_share: float = 0.4) -> Split:
    """Draw the held-out part of a calibration set of ``images`` at random; a tiny set keeps at least one image each."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = min(max(1, round(images * held_out_share)), images - 1) if images > 1 else 0
    return Split(fitting=tuple(sorted(order[held_out:])), held_out=tuple(sorted(order[:held_out] or order)))


def tune_exit(
    readouts: Readouts,
    split: Split,
    target: ExitTarget | None,
    score: ExitScore,
    certify: Certify | None = None,
) -> ExitTuning:
    """Fit temperatures and choose the exit thresholds; of target and certificate the more careful one decides.

    Both are about the held-out images. The target is a drop or timesteps, None where a certificate alone decides;
    ``readouts`` are of the whole calibration set, with logits.
    """
    temperatures, readouts = readouts.temperatures(split.fitting), readouts.with_ann_temperature(split.fitting)
    assert readouts.ann_logits is not None
    fitting, held_out = (readouts.select(part).scored(score, temperatures) for part in (split.fitting, split.held_out))
    path = [full_run(readouts.timesteps), *careful_to_fast(fitting.scores, fitting.worth)]
    settings = [judged(held_out, thresholds) for thresholds in path]
    last = None if certify is None else _last(held_out, settings, certify)
    choice = choose(settings, target, "path", last)
    steps = choice.exit_steps(held_out.scores)
    certificate = None
    if certify is not None and last is not None:
        certificate = make_certificate(
            certify,
            _losses(certify.risk, held_out, steps),
            choice.average_timesteps,
            choose(settings, None, "path", last).average_timesteps,
            choice.thresholds == full_run(readouts.timesteps),
            choice.policy(score.name).to_json(),
        )
    return ExitTuning(
        temperatures=temperatures,
        policy=choice.policy(score.name),
        choice=choice,
        labelled=readouts.labels is not None,
        held_out=held_out.shares_right(steps),
        exit_counts=tuple(torch.bincount(steps - 1, minlength=readouts.timesteps).tolist()),
        ann_logits=readouts.ann_logits,
        certificate=certificate,
        ann_right=None if readouts.labels is None else int((readouts.ann_answers == readouts.labels).sum()),
    )


def _last(held_out: Readouts, settings: Sequence[Setting], certify: Certify) -> int:
    """Return the position of the fastest setting that is certified; the full run, which is the first, always is."""
    losses = [_losses(certify.risk, held_out, setting.exit_steps(held_out.scores)) for setting in settings]
    return max(0, last_certified(torch.stack(losses), certify))


def _losses(risk: Risk, held_out: Readouts, steps: Tensor) -> Tensor:
    """Return what leaving at ``steps`` ``(N,)`` costs each image, ``(N,)``."""
    return exit_losses(risk, held_out.answers(steps), held_out.predictions[-1], held_out.labels)
