"""What is kept of the network is what it shows, and only the fitting part trains."""

from dataclasses import replace
from functools import cache

import pytest
import small_artifacts as small
import torch

from seenn_convert.exits.readouts import Readouts, collect_readouts
from seenn_convert.exits.tune import split_calibration
from seenn_convert.progress import silent
from seenn_convert.training.planner.rewards import PricedReward
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import bare_network, untrained_head
from seenn_convert.workflows.add_planner.stages import Heads, collect, planned_by, train

OPTIONS = PolicyOptions(reward=PricedReward((0.02, 0.2)), epochs=2)
SPLIT = split_calibration(150, 0, 0.3)


@cache
def seen(reads: str = "drive", batch_size: int = 40) -> Readouts:
    options = replace(OPTIONS, reads=reads, batch_size=batch_size)
    artifact = small.artifact()
    plan, model = untrained_head(artifact, options), bare_network(artifact, options)
    return collect(artifact.ann, model, plan, small.dataset(150, 13), options, silent)


def trained(given: Readouts, reads: str = "drive") -> Heads:
    options = replace(OPTIONS, reads=reads)
    return train(untrained_head(small.artifact(), options), given, SPLIT, options, silent)


@pytest.mark.parametrize("reads", ["drive", "image"])
def test_what_is_kept_is_what_the_network_shows(reads: str) -> None:
    """Answers and scores of all timesteps, the ANN's logits, and the pooled inputs, for any batch size."""
    found, images = seen(reads), small.draw(150, 13)[0]
    model = small.artifact().model()
    run = collect_readouts(model, [images])
    assert torch.equal(found.predictions, run.predictions) and torch.equal(found.scores, run.scores)
    assert torch.equal(found.ann_logits, small.artifact().ann(images))
    inputs = [images] if reads == "image" else model.drive(images)
    plan = untrained_head(small.artifact(), replace(OPTIONS, reads=reads))
    assert torch.equal(found.features, plan.features(inputs))
    other = seen(reads, 7)
    assert torch.equal(other.features, found.features) and torch.equal(other.scores, found.scores)


@pytest.mark.parametrize("reads", ["drive", "image"])
def test_the_plans_are_those_of_the_whole_head(reads: str) -> None:
    heads, images = trained(seen(reads), reads), small.draw(150, 13)[0]
    inputs = [images] if reads == "image" else small.artifact().model().drive(images)
    for number, head in enumerate(heads.heads):
        value = head.features(inputs)
        for module in head.body:
            value = module(value)
        (planned,) = planned_by([head], seen(reads).features)
        assert torch.equal(value.argmax(dim=-1) + 1, planned)
        assert torch.equal(heads.planned[number], planned)


def test_held_out_images_train_nothing() -> None:
    """With other answers, scores, features and labels of theirs, every head has the same weights."""
    given, held_out = seen(), list(SPLIT.held_out)
    other = replace(given, **{name: getattr(given, name).clone() for name in ("predictions", "scores", "ann_logits",
                                                                              "features", "labels")})  # fmt: skip
    other.predictions[:, held_out], other.scores[:, held_out] = 0, 0.5
    other.ann_logits[held_out], other.features[held_out], other.labels[held_out] = 0.0, 9.0, 0
    for one, two in zip(trained(given).heads, trained(other).heads, strict=True):
        for a, b in zip(one.body, two.body, strict=True):
            assert all(torch.equal(a.state_dict()[key], value) for key, value in b.state_dict().items())
