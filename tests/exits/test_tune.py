"""Tuning splits the calibration data, fits on one part, and reports on the other."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.readouts import Readouts, collect_readouts, from_logits
from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import Split, split_calibration, tune_exit
from seenn_convert.ir.scores import CONFIDENCE, SCORES, ExitScore
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

IMAGES, LABELS = small.draw(120, 21)
SPLIT = split_calibration(120, seed=3)


@given(st.integers(2, 400), st.integers(0, 9))
def test_the_split_is_whole_without_overlap_and_reproducible(images: int, seed: int) -> None:
    split = split_calibration(images, seed)
    assert sorted(split.fitting + split.held_out) == list(range(images))
    assert len(split.held_out) == min(max(1, round(0.4 * images)), images - 1)
    assert split == split_calibration(images, seed)


def test_another_seed_draws_another_part_and_one_image_serves_both() -> None:
    assert split_calibration(50, 0) != split_calibration(50, 1)
    assert split_calibration(1, 0) == Split((0,), (0,))


def run_of(model: SpikingModel, images: Tensor, labels: Tensor | None) -> Readouts:
    with torch.no_grad():
        return collect_readouts(model, [images], small.trained_net()(images), labels, keep_logits=True)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
@pytest.mark.parametrize("labelled", [True, False])
def test_the_choice_does_on_held_out_images_what_it_says(score: ExitScore, labelled: bool) -> None:
    """Run with the fitted temperatures and policy, the held-out images take the reported timesteps and accuracy."""
    run = run_of(small.model(6, ThresholdPolicy(score.name, (2.0,))), IMAGES, LABELS if labelled else None)
    tuning = tune_exit(run, SPLIT, ExitTarget(timesteps=2.5), score)
    truth = LABELS if labelled else run.ann_answers

    assert isinstance(tuning.policy, ThresholdPolicy) and tuning.policy.score_name == score.name
    assert tuning.labelled is labelled
    fitting, held_out = list(SPLIT.fitting), list(SPLIT.held_out)
    assert torch.equal(tuning.temperatures, fit_temperatures(run.logits[:, fitting], truth[fitting]))

    model = small.model(6, tuning.policy)
    model.probe.temperatures.copy_(tuning.temperatures)
    trace = run_early_exit(model, [IMAGES[held_out]], 64)
    assert trace.average_timesteps == pytest.approx(tuning.choice.average_timesteps, abs=1e-6)
    assert trace.average_timesteps <= 2.5
    shares = {
        "accuracy": trace.predictions,
        "reference": run.ann_answers[held_out],
        "full_accuracy": run.predictions[-1, held_out],
    }
    expected = {name: float((given == truth[held_out]).double().mean()) for name, given in shares.items()}
    assert tuning.held_out == expected
    assert labelled or tuning.held_out["reference"] == 1.0


def test_held_out_images_do_not_touch_the_temperatures() -> None:
    run = run_of(small.model(4), IMAGES, LABELS)
    target, wrong = ExitTarget(drop=1.0), LABELS.clone()
    wrong[list(SPLIT.held_out)] = (wrong[list(SPLIT.held_out)] + 1) % small.CLASSES
    a, b = (tune_exit(replace(run, labels=labels), SPLIT, target, CONFIDENCE) for labels in (LABELS, wrong))
    assert torch.equal(a.temperatures, b.temperatures)


@pytest.mark.parametrize("risk", ["disagreement", "accuracy"])
def test_a_certificate_counts_on_the_held_out_images_alone(risk: str) -> None:
    """Its numbers are those of a run by hand; what held-out images show moves the choice along the path, nothing else."""
    plain = small.model(6, ThresholdPolicy("confidence", (2.0,)))
    images, labels = small.draw(400, 22)
    split = split_calibration(400, seed=3)
    run = run_of(plain, images, labels)
    certify = Certify(0.1, 0.1, risk)  # type: ignore[arg-type]
    tuning = tune_exit(run, split, None, CONFIDENCE, certify)
    found, held_out = tuning.certificate, list(split.held_out)

    assert found is not None and found.policy == tuning.policy.to_json()
    model = small.model(6, tuning.policy)
    model.probe.temperatures.copy_(tuning.temperatures)
    trace = run_early_exit(model, [images[held_out]], 64)
    full = run.predictions[-1, held_out]
    assert found.images == len(held_out) == sum(tuning.exit_counts)
    assert [int((trace.exit_step == t).sum()) for t in range(1, 7)] == list(tuning.exit_counts)
    assert found.average_timesteps == pytest.approx(trace.average_timesteps)
    truth = labels[held_out]
    if risk == "disagreement":
        assert found.failures == int((trace.predictions != full).sum())
    else:
        right = (full == truth).double().mean() - (trace.predictions == truth).double().mean()
        assert found.observed == pytest.approx(float(right))
    assert 1 < found.average_timesteps < 6 and not found.full_run
    assert found.upper_bound <= found.epsilon
    careful = tune_exit(run, split, ExitTarget(drop=0.0), CONFIDENCE, certify)
    assert careful.choice.average_timesteps >= tuning.choice.average_timesteps
    assert found.fastest_timesteps == found.average_timesteps
    assert careful.certificate is not None and careful.certificate.fastest_timesteps == found.fastest_timesteps


def test_where_nothing_faster_is_certified_the_full_run_is() -> None:
    """A network whose answers before the last timestep are never those of the last."""
    logits = torch.zeros(3, 400, 3)
    logits[:2, :, 0], logits[2, :, 1] = 5.0, 5.0
    ann = torch.zeros(400, 3)
    ann[:, 1] = 5.0
    tuning = tune_exit(from_logits(logits, ann), split_calibration(400, 0), None, CONFIDENCE, Certify(0.05, 0.05))
    assert tuning.certificate is not None and tuning.certificate.full_run
    assert tuning.exit_counts == (0, 0, 160)
    assert (tuning.certificate.failures, tuning.certificate.upper_bound) == (0, 0.0)
