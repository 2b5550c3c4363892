"""Exploring gives an ordinary artifact whose report says what other settings would give."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import small_artifacts as small

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.artifact.schema.exploration import Exploration
from seenn_convert.errors import InputError
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert
from seenn_convert.workflows.explore.run import explore
from seenn_convert.workflows.explore.settings import command_line

SHORT = Options(timesteps=2, calibration="fast", batch_size=32)


def exploration_of(artifact: Artifact) -> Exploration:
    conversion = artifact.report.conversion
    assert conversion is not None and conversion.exploration is not None
    return conversion.exploration


def test_the_network_kept_is_the_one_that_convert_makes_and_is_saved_with_what_was_tried(tmp_path: Path) -> None:
    artifact = explore(small.source(), small.dataset(40), SHORT, vary=("neuron",))
    found = exploration_of(artifact)
    assert {one.neuron for one in found.trials} == {"signed", "multilevel", "if"}
    assert {(one.timesteps, one.calibration) for one in found.trials} == {(2, "fast")}
    assert all(one.milliseconds > 0 and one.nanojoule > 0 and one.images == 16 for one in found.trials)
    kept = next(one for one in found.trials if one.options == found.kept)
    again = convert(small.source(), small.dataset(40), Options(**{**vars(SHORT), "neuron": kept.neuron}))
    assert again.policy == artifact.policy
    assert again.report.conversion.exit.held_out == artifact.report.conversion.exit.held_out
    artifact.save(tmp_path / "net")
    assert exploration_of(load_artifact(tmp_path / "net")) == found


def test_without_labels_the_ann_stands_in() -> None:
    found = exploration_of(explore(small.source(), small.dataset(40, labelled=False), SHORT, vary=()))
    assert found.ann_accuracy == 1.0 and not found.labelled


def test_the_budget_is_of_the_clock_given() -> None:
    """Each look at the clock is an hour later, so there is time for the first trial alone."""
    artifact = explore(small.source(), small.dataset(40), SHORT, clock=(3600.0 * n for n in count()).__next__)
    found = exploration_of(artifact)
    assert len(found.trials) == 1 and len(found.left_out) >= 1


def test_exit_images_judge() -> None:
    artifact = explore(small.source(), small.dataset(40), SHORT, vary=(), exit_data=small.dataset(60, 5))
    (only,) = exploration_of(artifact).trials
    assert only.images == 24 and artifact.provenance.validation is not None


@pytest.mark.parametrize(("target", "prefer"), [
    (None, "steps"), (ExitTarget(drop=1.0), "steps"), (ExitTarget(timesteps=2.0), "accuracy"),
])  # fmt: skip
def test_what_a_target_leaves_open_is_preferred(target: ExitTarget | None, prefer: str) -> None:
    options = Options(timesteps=2, calibration="fast", target=target)
    artifact = explore(small.source(), small.dataset(40), options, vary=())
    found = exploration_of(artifact)
    assert found.prefer == prefer and found.kept == found.default == command_line(options)


def test_a_target_that_no_setting_reaches_is_a_warning_that_names_the_least_loss() -> None:
    """Nothing is expected to gain on the ANN's own answers, so a drop of 0 takes every answer as the ANN's."""
    options = Options(timesteps=1, calibration="fast", target=ExitTarget(drop=0.0))
    artifact = explore(small.source(), small.dataset(60, labelled=False), options, vary=("neuron",))
    found = exploration_of(artifact)
    told = [one.text for one in artifact.report.conversion.warnings if one.code == "target_not_reached"]
    assert not any(one.reached for one in found.trials)
    least = min(found.trials, key=lambda one: one.expected_drop)
    assert len(told) == 1 and least.options in told[0] and f"none of the {len(found.trials)} settings" in told[0]
    assert found.kept == least.options
    assert "leave -T, --calibration, --front to --explore" in told[0] and "--minutes" not in told[0]


def test_advice_on_a_missed_target_names_only_what_may_help() -> None:
    """A single setting was tried, for want of time: there is nothing that the user keeps from being tried."""
    options = Options(timesteps=1, calibration="fast", target=ExitTarget(drop=0.0))
    data, every = small.dataset(60, labelled=False), ("neuron", "timesteps", "calibration", "front")
    artifact = explore(small.source(), data, options, vary=every, minutes=1e-9)
    (told,) = [one.text for one in artifact.report.conversion.warnings if one.code == "target_not_reached"]

    assert told.startswith("the one setting that was tried on all images misses the exit target")
    assert "--minutes" in told and "--explore" not in told


def test_wrong_options_are_refused_together() -> None:
    with pytest.raises(InputError) as refused:
        explore(small.source(), small.dataset(40), minutes=0, prefer="beauty", vary=("seed",))  # type: ignore[arg-type]
    assert all(word in str(refused.value) for word in ("minutes must be", "prefer must be", "vary must be"))
    with pytest.raises(InputError, match=r"such as \['neuron'\]"):
        explore(small.source(), small.dataset(40), vary="neuron")


@pytest.mark.parametrize(("front", "other"), [("auto", "none"), ("none", "auto")])
def test_what_is_the_same_without_a_front_is_not_tried_twice(front: str, other: str) -> None:
    options = replace(SHORT, front=front)
    found = exploration_of(explore(small.source(), small.dataset(40), options, vary=("front", "neuron")))

    assert {one.front for one in found.trials} == {0} and len(found.trials) == 3
    assert len(set(found.left_out.values())) == 1 and "the same with" in next(iter(found.left_out.values()))
    asked = "" if other == "auto" else f"--front {other}"  # what is the default is not written
    assert all(one.endswith(asked) for one in found.left_out)
