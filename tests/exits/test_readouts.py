"""Running everything gives every readout, whatever the batches; what is derived from them is what it says."""

from dataclasses import replace
from functools import cache

import pytest
import small_artifacts as small
import torch
from torch import Tensor, nn

from seenn_convert.exits.readouts import IMAGE_AXES, Readouts, collect_readouts, from_logits
from seenn_convert.exits.temperatures import fit_temperatures
from seenn_convert.ir.operators import Reshape
from seenn_convert.ir.scores import ENTROPY, scores_of
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.engine import State
from seenn_convert.runtime.policies import PlannedPolicy, ThresholdPolicy, exit_steps
from seenn_convert.runtime.spiking_model import SpikingModel

IMAGES, LABELS = small.draw(40, 8)
MODEL = small.model(5)


@cache
def planned_model() -> SpikingModel:
    head = PolicyHead("image", ((Reshape((64,)),),), (nn.Linear(64, 5),))
    policy = PlannedPolicy(ThresholdPolicy("confidence", (0.9,)))
    return SpikingModel(run_passes(MODEL.program, [AttachPolicy(head, 5)]), 5, policy)


def everything() -> Readouts:
    """Return readouts that hold every fact there can be."""
    with torch.no_grad():
        return collect_readouts(
            planned_model(), [IMAGES], small.trained_net()(IMAGES), LABELS, keep_logits=True, keep_plan=True,
            features=lambda image, drives: image.flatten(1),
        )  # fmt: skip


def test_every_readout_is_the_step_of_the_model() -> None:
    run = collect_readouts(MODEL, [IMAGES], keep_logits=True)
    drives, state = MODEL.drive(IMAGES), MODEL.initial_state(40)
    assert run.logits is not None and run.timesteps == 5
    for t in range(5):
        logits, score, state = MODEL.step(drives, state)
        assert torch.equal(run.logits[t], logits)
        assert torch.equal(run.scores[t], score)
        assert torch.equal(run.predictions[t], logits.argmax(dim=-1))


def test_batches_do_not_matter() -> None:
    whole = collect_readouts(MODEL, [IMAGES], keep_logits=True)
    for size in (1, 3, 16, 39):
        parts = collect_readouts(MODEL, IMAGES.split(size), keep_logits=True)
        assert torch.equal(whole.logits, parts.logits)
        assert torch.equal(whole.scores, parts.scores)
        assert torch.equal(whole.predictions, parts.predictions)


def test_only_what_is_asked_for_is_kept() -> None:
    run = collect_readouts(MODEL, [IMAGES])
    assert {name for name in IMAGE_AXES if getattr(run, name) is not None} == {"predictions", "scores"}
    for needed in (lambda: run.truth, lambda: run.planned(), lambda: run.temperatures([0])):
        with pytest.raises(ValueError, match="were not kept"):
            needed()


def test_observers_see_the_images_of_each_step_and_progress_each_image() -> None:
    done: list[int] = []
    steps: list[tuple[int, int]] = []

    def observe(t: int, results: tuple[Tensor, ...], state: State) -> None:
        steps.append((t, len(results[0])))

    collect_readouts(MODEL, IMAGES.split(30), progress=done.append, observers=(observe,))
    assert done == [30, 10]
    assert steps == [(t, n) for n in (30, 10) for t in range(1, 6)]


def test_the_plan_and_the_features_are_those_of_the_images() -> None:
    model, run = planned_model(), everything()
    assert run.plan is not None and run.plan.shape == (40, 5)
    assert torch.equal(run.plan, model.plan(IMAGES, model.drive(IMAGES)))
    assert torch.equal(run.features, IMAGES.flatten(1))
    steps = exit_steps(model.policy, run.scores, planned=run.planned())
    assert torch.equal(steps, run_early_exit(model, [IMAGES], 20).exit_step)
    parts = collect_readouts(model, IMAGES.split(13), keep_plan=True, features=lambda image, drives: image.flatten(1))
    assert torch.equal(parts.plan, run.plan) and torch.equal(parts.features, run.features)


def test_a_part_holds_the_facts_of_its_images() -> None:
    whole, chosen = everything(), [7, 3, 20]
    part = whole.select(chosen)
    for name, axis in IMAGE_AXES.items():
        for position, image in enumerate(chosen):
            assert torch.equal(getattr(part, name).select(axis, position), getattr(whole, name).select(axis, image))
    assert torch.equal(part.worth, whole.worth[:, chosen])
    assert torch.equal(part.right, whole.right[:, chosen])


def test_without_labels_the_ann_s_answers_stand_in() -> None:
    labelled = everything()
    assert labelled.ann_logits is not None
    bare = replace(labelled, labels=None)
    assert torch.equal(labelled.truth, LABELS)
    assert torch.equal(bare.truth, labelled.ann_logits.argmax(dim=-1))
    assert bare.shares_right(torch.full((40,), 5))["reference"] == 1.0
    assert bare.with_ann_temperature(range(20)).ann_temperature == 1.0


def test_worth_is_the_probability_that_the_ann_gives_to_the_answer() -> None:
    given = everything()
    assert given.ann_logits is not None
    p = torch.softmax(given.ann_logits, dim=-1)
    assert given.worth[3, 5] == p[5, given.predictions[3, 5]]
    assert torch.equal(given.best, p.amax(dim=-1))


def test_temperatures_come_from_the_fitting_part_alone() -> None:
    given, fitting = everything(), list(range(0, 40, 2))
    assert given.logits is not None and given.ann_logits is not None
    assert torch.equal(given.temperatures(fitting), fit_temperatures(given.logits[:, fitting], LABELS[fitting]))
    expected = fit_temperatures(given.ann_logits[None, fitting], LABELS[fitting])
    found = given.with_ann_temperature(fitting)
    assert torch.equal(torch.as_tensor(found.ann_temperature), expected)
    assert torch.equal(found.ann_p, torch.softmax(given.ann_logits / expected, dim=-1))


def test_scores_can_be_computed_again() -> None:
    given, temperatures = everything(), torch.linspace(2.0, 1.0, 5)
    assert given.logits is not None
    assert torch.equal(given.scored(ENTROPY, temperatures).scores, scores_of(ENTROPY, given.logits, temperatures))


def test_shares_right_by_hand() -> None:
    """Of two images the first is right at its exit only, the second at the end only; the ANN is right on both."""
    right = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    given = from_logits(right, torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 1]))
    assert given.answers(torch.tensor([1, 2])).tolist() == [1, 1]
    assert given.shares_right(torch.tensor([1, 1])) == {"accuracy": 0.5, "reference": 1.0, "full_accuracy": 0.5}
