"""Fit the exit decision on calibration data: temperatures and thresholds on one part, their price on the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.choices import Risk, ScoreName
from seenn_convert.exits.certificates.certificate import Certificate, Certify, last_certified, make_certificate
from seenn_convert.exits.certificates.risk import exit_losses
from seenn_convert.exits.step_time import StepTime
from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.exits.thresholds import (
    ExitChoice,
    ExitTarget,
    Readouts,
    careful_to_fast,
    choose_on_path,
    first_exit,
    full_run,
)
from seenn_convert.ir.scores import evidence_at, score
from seenn_convert.runtime.all_timesteps import AllTimesteps
from seenn_convert.runtime.policies import SCORE_POLICIES, ConfidencePolicy


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
        certificate: What leaving early costs at most, where that was asked for.
        step_time: Milliseconds of stem and step, where the target is a time.
    """

    temperatures: Tensor
    policy: ConfidencePolicy
    choice: ExitChoice
    labelled: bool
    held_out: dict[str, float]
    exit_counts: tuple[int, ...]
    certificate: Certificate | None = None
    step_time: StepTime | None = None


def split_calibration(images: int, seed: int, held_out_share: float = 0.4) -> Split:
    """Draw the held-out part of a calibration set of ``images`` at random; a tiny set keeps at least one image each."""
    order = torch.randperm(images, generator=torch.Generator().manual_seed(seed)).tolist()
    held_out = min(max(1, round(images * held_out_share)), images - 1) if images > 1 else 0
    return Split(fitting=tuple(sorted(order[held_out:])), held_out=tuple(sorted(order[:held_out] or order)))


def tune_exit(
    run: AllTimesteps,
    ann_logits: Tensor,
    labels: Tensor | None,
    split: Split,
    target: ExitTarget | None,
    score_name: ScoreName = "confidence",
    certify: Certify | None = None,
) -> ExitTuning:
    """Fit temperatures and choose the exit threshold; of target and certificate the more careful one decides.

    Args:
        run: All timesteps of the whole calibration set, with logits.
        ann_logits: ``(N, K)`` the ANN's logits.
        labels: ``(N,)`` true classes, None where there are none.
        split: Which images serve which purpose.
        target: What to reach on the held-out images, a drop or timesteps; None where a certificate alone decides.
        score_name: The exit score.
        certify: What to certify on the held-out images.
    """
    assert run.logits is not None
    truth = ann_logits.argmax(dim=-1) if labels is None else labels
    fitting, held_out = _index(split.fitting), _index(split.held_out)
    temperatures = fit_temperatures(run.logits[:, fitting], truth[fitting])
    ann_p = ann_probabilities(ann_logits, truth if labels is not None else None, fitting)
    readouts = [_readouts(run, temperatures, ann_p, images, score_name) for images in (fitting, held_out)]
    path = [full_run(len(run.scores)), *careful_to_fast(readouts[0])]
    shown = _Shown(readouts[1].scores, run.predictions[:, held_out], None if labels is None else labels[held_out])
    last = None if certify is None else _last(shown, path, certify)
    choice = choose_on_path(path, readouts[1], target, last)
    policy = SCORE_POLICIES[score_name](choice.thresholds)
    certificate = None
    if certify is not None and last is not None:
        certificate = _certificate(shown, choice, choose_on_path(path, readouts[1], None, last), policy, certify)
    return ExitTuning(
        temperatures=temperatures,
        policy=policy,
        choice=choice,
        labelled=labels is not None,
        held_out=_measured(run, readouts[1], ann_logits.argmax(dim=-1), truth, held_out, choice),
        exit_counts=tuple(torch.bincount(shown.steps(choice.thresholds), minlength=len(run.scores)).tolist()),
        certificate=certificate,
    )


@dataclass(frozen=True)
class _Shown:
    """What the held-out images show: scores and answers ``(T, N)``, and labels ``(N,)`` where there are some."""

    scores: Tensor
    predictions: Tensor
    labels: Tensor | None

    def steps(self, thresholds: tuple[float, ...]) -> Tensor:
        """Return the 0-based timestep at which each image leaves, ``(N,)``."""
        return first_exit(self.scores, self.scores.new_tensor(thresholds).unsqueeze(1))

    def losses(self, thresholds: tuple[float, ...], risk: Risk) -> Tensor:
        """Return what leaving early costs each image, ``(N,)``."""
        answers = self.predictions.gather(0, self.steps(thresholds).unsqueeze(0)).squeeze(0)
        return exit_losses(risk, answers, self.predictions[-1], self.labels)


def _last(shown: _Shown, path: Sequence[tuple[float, ...]], certify: Certify) -> int:
    """Return the position of the fastest point of the path that is certified; the full run always is."""
    losses = torch.stack([shown.losses(thresholds, certify.risk) for thresholds in path])
    return max(0, last_certified(losses, certify))


def _certificate(
    shown: _Shown, choice: ExitChoice, fastest: ExitChoice, policy: ConfidencePolicy, certify: Certify
) -> Certificate:
    return make_certificate(
        certify,
        shown.losses(choice.thresholds, certify.risk),
        choice.average_timesteps,
        fastest.average_timesteps,
        choice.thresholds == full_run(len(shown.scores)),
        policy.to_json(),
    )


def ann_probabilities(ann_logits: Tensor, labels: Tensor | None, fitting: Tensor) -> Tensor:
    """Return the ANN's class probabilities ``(N, K)``, with its own temperature where there are labels to fit it."""
    if labels is None:
        return torch.softmax(ann_logits, dim=-1)
    temperature = fit_temperatures(ann_logits[None, fitting], labels[fitting])
    return torch.softmax(ann_logits / temperature, dim=-1)


def _readouts(
    run: AllTimesteps, temperatures: Tensor, ann_p: Tensor, images: Tensor, score_name: ScoreName
) -> Readouts:
    assert run.logits is not None
    scores = torch.stack([score(score_name, seen) for seen in evidence_at(run.logits[:, images], temperatures)])
    worth = ann_p[images].gather(1, run.predictions[:, images].t()).t()
    return Readouts(scores, worth, ann_p[images].amax(dim=-1))


def _measured(
    run: AllTimesteps, readouts: Readouts, ann: Tensor, truth: Tensor, images: Tensor, choice: ExitChoice
) -> dict[str, float]:
    """Return shares right on the held-out images: of early exit, of the ANN, of the full run."""
    step = first_exit(readouts.scores, readouts.scores.new_tensor(choice.thresholds).unsqueeze(1))
    return shares_right(run.predictions[:, images], step, ann[images], truth[images])


def shares_right(predictions: Tensor, step: Tensor, ann: Tensor, truth: Tensor) -> dict[str, float]:
    """Return shares right: of early exit, of the ANN (``reference``), of the full run.

    Args:
        predictions: ``(T, N)`` answers at every timestep.
        step: ``(N,)`` exit step from 0.
        ann: ``(N,)`` the ANN's answers.
        truth: ``(N,)`` classes.
    """
    answers = predictions.gather(0, step.unsqueeze(0)).squeeze(0)
    shares = {"accuracy": answers, "reference": ann, "full_accuracy": predictions[-1]}
    return {name: float((given == truth).double().mean()) for name, given in shares.items()}


def _index(positions: Sequence[int]) -> Tensor:
    return torch.tensor(positions, dtype=torch.int64)
