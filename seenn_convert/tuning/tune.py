"""Fit the exit decision on calibration data: temperatures and thresholds on one part, their price on the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seenn_convert.runtime.all_timesteps import AllTimesteps
from seenn_convert.runtime.policies import SCORE_POLICIES, ConfidencePolicy
from seenn_convert.scores import ScoreName, score
from seenn_convert.tuning.exit_threshold import ExitChoice, ExitTarget, Readouts, choose_thresholds, first_exit
from seenn_convert.tuning.temperatures import fit_temperatures


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
    """

    temperatures: Tensor
    policy: ConfidencePolicy
    choice: ExitChoice
    labelled: bool
    held_out: dict[str, float]


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
    target: ExitTarget,
    score_name: ScoreName = "confidence",
) -> ExitTuning:
    """Fit temperatures and choose the exit threshold.

    Args:
        run: All timesteps of the whole calibration set, with logits.
        ann_logits: ``(N, K)`` the ANN's logits.
        labels: ``(N,)`` true classes, None where there are none.
        split: Which images serve which purpose.
        target: What to reach on the held-out images.
        score_name: The exit score.
    """
    assert run.logits is not None
    truth = ann_logits.argmax(dim=-1) if labels is None else labels
    fitting, held_out = _index(split.fitting), _index(split.held_out)
    temperatures = fit_temperatures(run.logits[:, fitting], truth[fitting])
    ann_p = ann_probabilities(ann_logits, truth if labels is not None else None, fitting)
    readouts = [_readouts(run, temperatures, ann_p, images, score_name) for images in (fitting, held_out)]
    choice = choose_thresholds(readouts[0], readouts[1], target)
    return ExitTuning(
        temperatures=temperatures,
        policy=SCORE_POLICIES[score_name](choice.thresholds),
        choice=choice,
        labelled=labels is not None,
        held_out=_measured(run, readouts[1], ann_logits.argmax(dim=-1), truth, held_out, choice),
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
    scores = torch.stack(
        [score(score_name, logits, float(t)) for logits, t in zip(run.logits[:, images], temperatures, strict=True)]
    )
    worth = ann_p[images].gather(1, run.predictions[:, images].t()).t()
    return Readouts(scores, worth, ann_p[images].amax(dim=-1))


def _measured(
    run: AllTimesteps, readouts: Readouts, ann: Tensor, truth: Tensor, images: Tensor, choice: ExitChoice
) -> dict[str, float]:
    """Return shares right on the held-out images: of early exit, of the ANN, of the full run."""
    predictions, truth = run.predictions[:, images], truth[images]
    step = first_exit(readouts.scores, readouts.scores.new_tensor(choice.thresholds).unsqueeze(1))
    answers = predictions.gather(0, step.unsqueeze(0)).squeeze(0)
    shares = {"accuracy": answers, "reference": ann[images], "full_accuracy": predictions[-1]}
    return {name: float((given == truth).double().mean()) for name, given in shares.items()}


def _index(positions: Sequence[int]) -> Tensor:
    return torch.tensor(positions, dtype=torch.int64)
