"""What is kept of the network is what it shows, and only the fitting part trains."""

from dataclasses import replace
from functools import cache

import pytest
import small_artifacts as small
import torch

from seenn_convert.exits.plan_choice import PlanChoice
from seenn_convert.exits.tune import split_calibration
from seenn_convert.progress import silent
from seenn_convert.runtime.all_timesteps import AllTimesteps, run_all_timesteps
from seenn_convert.training.planner.rewards import PricedReward
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import bare_network, untrained_head
from seenn_convert.workflows.add_planner.stages import Heads, Seen, latest_exits, look, measured, readouts_of, train

OPTIONS = PolicyOptions(reward=PricedReward((0.02, 0.2)), epochs=2)
SPLIT = split_calibration(150, 0, 0.3)


@cache
def seen(reads: str = "drive", batch_size: int = 40) -> Seen:
    options = replace(OPTIONS, reads=reads, batch_size=batch_size)
    artifact = small.artifact()
    plan, model = untrained_head(artifact, options), bare_network(artifact, options)
    return look(artifact.ann, model, plan, small.dataset(150, 13), options, silent)


def trained(given: Seen, reads: str = "drive") -> Heads:
    options = replace(OPTIONS, reads=reads)
    return train(untrained_head(small.artifact(), options), given, SPLIT, options, silent)


@pytest.mark.parametrize("reads", ["drive", "image"])
def test_what_is_kept_is_what_the_network_shows(reads: str) -> None:
    """Answers and scores of all timesteps, the ANN's logits, and the pooled inputs, for any batch size."""
    found, images = seen(reads), small.draw(150, 13)[0]
    model = small.artifact().model()
    run = run_all_timesteps(model, [images])
    assert torch.equal(found.run.predictions, run.predictions) and torch.equal(found.run.scores, run.scores)
    assert torch.equal(found.ann, small.artifact().ann(images))
    inputs = [images] if reads == "image" else model.drive(images)
    plan = untrained_head(small.artifact(), replace(OPTIONS, reads=reads))
    assert torch.equal(found.features, plan.features(inputs))
    other = seen(reads, 7)
    assert torch.equal(other.features, found.features) and torch.equal(other.run.scores, found.run.scores)


@pytest.mark.parametrize("reads", ["drive", "image"])
def test_the_plans_are_those_of_the_whole_head(reads: str) -> None:
    heads, images = trained(seen(reads), reads), small.draw(150, 13)[0]
    inputs = [images] if reads == "image" else small.artifact().model().drive(images)
    for number, head in enumerate(heads.heads):
        value = head.features(inputs)
        for module in head.body:
            value = module(value)
        (latest,) = latest_exits([head], seen(reads).features)
        assert torch.equal(value.argmax(dim=-1), latest)
        assert torch.equal(heads.held_out.latest[number], latest[list(SPLIT.held_out)])


def test_held_out_images_train_nothing() -> None:
    """With other answers, scores, features and labels of theirs, every head has the same weights."""
    given, held_out = seen(), list(SPLIT.held_out)
    run = AllTimesteps(given.run.predictions.clone(), given.run.scores.clone(), None)
    run.predictions[:, held_out], run.scores[:, held_out] = 0, 0.5
    other = Seen(run, given.ann.clone(), given.features.clone(), given.labels.clone(), 0.0)
    other.ann[held_out], other.features[held_out], other.labels[held_out] = 0.0, 9.0, 0
    for one, two in zip(trained(given).heads, trained(other).heads, strict=True):
        for a, b in zip(one.body, two.body, strict=True):
            assert all(torch.equal(a.state_dict()[key], value) for key, value in b.state_dict().items())


def test_worth_is_the_probability_that_the_ann_gives_to_the_answer() -> None:
    given = replace(seen(), labels=None)
    found = readouts_of(given, torch.tensor(SPLIT.fitting))
    p = torch.softmax(given.ann, dim=-1)
    assert found.worth[3, 5] == p[5, given.run.predictions[3, 5]]
    assert torch.equal(found.best, p.amax(dim=-1))


def test_measured_shares_by_hand() -> None:
    """Stopping all after the last timestep is the full run; the reference is the ANN."""
    given, heads = seen(), trained(seen())
    last = PlanChoice(None, (2.0,) * 7 + (-1.0,), 0.0, 0.0)
    found, held_out = measured(given, SPLIT, heads.held_out, last), list(SPLIT.held_out)
    labels = given.labels[held_out]
    assert found["accuracy"] == found["full_accuracy"]
    assert found["reference"] == float((given.ann[held_out].argmax(-1) == labels).double().mean())
    planned = measured(given, SPLIT, heads.held_out, PlanChoice(1, None, 0.0, 0.0))
    answers = given.run.predictions[:, held_out].gather(0, heads.held_out.latest[1].unsqueeze(0)).squeeze(0)
    assert planned["accuracy"] == float((answers == labels).double().mean())
