"""Tuning splits the calibration data, fits on one part, and reports on the other."""

import pytest
import small_artifacts as small
import torch
from hypothesis import given
from hypothesis import strategies as st

from seenn_convert.runtime.all_timesteps import run_all_timesteps
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import SCORE_POLICIES, ConfidencePolicy
from seenn_convert.scores import ScoreName
from seenn_convert.tuning.exit_threshold import ExitTarget
from seenn_convert.tuning.temperatures import fit_temperatures
from seenn_convert.tuning.tune import Split, split_calibration, tune_exit

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


@pytest.mark.parametrize(("score", "kind"), SCORE_POLICIES.items())
@pytest.mark.parametrize("labelled", [True, False])
def test_the_choice_does_on_held_out_images_what_it_says(
    score: ScoreName, kind: type[ConfidencePolicy], labelled: bool
) -> None:
    """Run with the fitted temperatures and policy, the held-out images take the reported timesteps and accuracy."""
    plain = small.model(6, kind((2.0,)))
    run = run_all_timesteps(plain, [IMAGES], keep_logits=True)
    with torch.no_grad():
        ann_logits = small.trained_net()(IMAGES)
    tuning = tune_exit(run, ann_logits, LABELS if labelled else None, SPLIT, ExitTarget(timesteps=2.5), score)
    truth = LABELS if labelled else ann_logits.argmax(dim=-1)

    assert isinstance(tuning.policy, kind)
    assert tuning.labelled is labelled
    fitting, held_out = list(SPLIT.fitting), list(SPLIT.held_out)
    assert torch.equal(tuning.temperatures, fit_temperatures(run.logits[:, fitting], truth[fitting]))

    model = small.model(6, tuning.policy)
    model._probe_buffer().copy_(tuning.temperatures)
    trace = run_early_exit(model, [IMAGES[held_out]], 64)
    assert trace.average_timesteps == pytest.approx(tuning.choice.average_timesteps, abs=1e-6)
    assert trace.average_timesteps <= 2.5
    shares = {
        "accuracy": trace.predictions,
        "reference": ann_logits.argmax(dim=-1)[held_out],
        "full_accuracy": run.predictions[-1, held_out],
    }
    expected = {name: float((given == truth[held_out]).double().mean()) for name, given in shares.items()}
    assert tuning.held_out == expected
    assert labelled or tuning.held_out["reference"] == 1.0


def test_held_out_images_do_not_touch_the_temperatures() -> None:
    run = run_all_timesteps(small.model(4), [IMAGES], keep_logits=True)
    with torch.no_grad():
        ann_logits = small.trained_net()(IMAGES)
    target, wrong = ExitTarget(drop=1.0), LABELS.clone()
    wrong[list(SPLIT.held_out)] = (wrong[list(SPLIT.held_out)] + 1) % small.CLASSES
    a, b = (tune_exit(run, ann_logits, labels, SPLIT, target) for labels in (LABELS, wrong))
    assert torch.equal(a.temperatures, b.temperatures)
