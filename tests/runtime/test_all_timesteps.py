"""Running everything gives every readout, whatever the batches."""

import small_artifacts as small
import torch

from seenn_convert.runtime.all_timesteps import run_all_timesteps

IMAGES = small.draw(40, 8)[0]
MODEL = small.model(5)


def test_every_readout_is_the_step_of_the_model() -> None:
    run = run_all_timesteps(MODEL, [IMAGES], keep_logits=True)
    drives, state = MODEL.drive(IMAGES), MODEL.initial_state(40)
    assert run.logits is not None
    for t in range(5):
        logits, score, state = MODEL.step(drives, state)
        assert torch.equal(run.logits[t], logits)
        assert torch.equal(run.scores[t], score)
        assert torch.equal(run.predictions[t], logits.argmax(dim=-1))


def test_batches_do_not_matter() -> None:
    whole = run_all_timesteps(MODEL, [IMAGES], keep_logits=True)
    for size in (1, 3, 16, 39):
        parts = run_all_timesteps(MODEL, IMAGES.split(size), keep_logits=True)
        assert torch.equal(whole.logits, parts.logits)
        assert torch.equal(whole.scores, parts.scores)
        assert torch.equal(whole.predictions, parts.predictions)


def test_logits_are_kept_only_when_asked_for() -> None:
    assert run_all_timesteps(MODEL, [IMAGES]).logits is None


def test_instruments_see_each_step_and_progress_each_image() -> None:
    done: list[int] = []
    steps: list[tuple[int, int]] = []
    run_all_timesteps(MODEL, IMAGES.split(30), progress=done.append, after_step=lambda t, n: steps.append((t, n)))
    assert done == [30, 10]
    assert steps == [(t, n) for n in (30, 10) for t in range(1, 6)]
