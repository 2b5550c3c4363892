"""Exit policies, targets, held-out results and policy heads in words; the prose is pinned here."""

from dataclasses import replace
from typing import Any

import pytest
from fake_reports import small_report, typed

from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.conversion import Conversion, HeadFacts, NeuronFacts
from seenn_convert.artifact.schema.shared import PolicyFacts
from seenn_convert.exits.step_time import StepTime
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.report.narrative.exits import (
    calibration_words,
    exit_rule,
    exit_words,
    held_out_words,
    policy_head_words,
    spike_words,
    target_words,
)

HEAD: dict[str, Any] = {
    "policy": "planned", "reads": "image", "reward": "price", "settings": [0.1], "entropy": 0.0, "right": "worth",
    "epochs": 3, "gradient": "exact", "seed": 0, "used": True, "setting": 0.1, "macs": 1234, "share_of_timestep": 0.001,
    "data": {"name": "train.npz", "images": 500, "labelled": True}, "fitting_images": 300, "held_out_images": 200,
    "seconds": {"readouts": 1.0, "training": 1.0, "training_without_cache": 4.0}, "frontier": {},
}  # fmt: skip


def conversion() -> Conversion:
    found = typed(small_report()).conversion
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        ({"policy": "fixed", "timesteps": 4}, "after 4 timesteps, whatever its answer"),
        ({"policy": "fixed", "timesteps": 1}, "after 1 timestep, whatever its answer"),
        ({"policy": "confidence", "thresholds": [0.9, 0.8, -1.0]}, "(0.8 to 0.9, depending on the timestep)"),
        ({"policy": "entropy", "thresholds": [0.5, -1.0]}, "normalized entropy) is above a threshold (0.5)"),
        ({"policy": "patience", "thresholds": [0.8, -1.0]}, "same answer) is above a threshold (0.8)"),
        ({"policy": "confidence", "thresholds": [2.0, 2.0, -1.0]}, "only at the end"),
        ({"policy": "confidence", "thresholds": [-1.0, 0.5, -1.0]}, "after the first timestep"),
        ({"policy": "planned"}, "that the policy head chose for it before the run"),
        ({"policy": "planned+margin", "thresholds": [0.5, -1.0]}, "(0.5), and at the latest when the policy head"),
    ],
)
def test_every_exit_policy_is_put_in_words(policy: dict[str, Any], rule: str) -> None:
    assert rule in exit_rule(from_plain(policy, PolicyFacts))


def test_exits_say_when_most_images_have_left() -> None:
    assert exit_words([0.5, 0.4, 0.0, 0.1]) == (
        "Half of the images have left by timestep 1, nine in ten by timestep 2. 10.0\u00a0% leave only at timestep 4, the "
        "last one."
    )
    assert "every image leaves at it" in exit_words([1.0])


def test_targets_say_what_was_asked_for() -> None:
    facts, price = conversion().exit, StepTime(0.1, 0.57, 128, 3, "cpu", 2, 4.2)
    assert target_words(facts) == "at most 0.5 points below the ANN"
    assert target_words(replace(facts, target=ExitTarget(timesteps=3.5))) == "at most 3.5 timesteps on average"
    timed = target_words(replace(facts, target=ExitTarget(milliseconds=2.5), step_time=price))
    assert timed.startswith("at most 2.5 ms per image on average, which allows 4.20 timesteps: the stem takes 0.100 ms")
    assert target_words(replace(facts, target=None)) == ""


def test_held_out_images_are_right_or_agree() -> None:
    found = conversion()
    assert held_out_words(found).startswith("91.2\u00a0% right after 4.20 timesteps on average; ANN 91.5")
    unlabelled = replace(found, calibration=replace(found.calibration, labelled=False))
    assert "agree with the ANN" in held_out_words(unlabelled)
    assert calibration_words(unlabelled.calibration) == (
        "calibration.npz, 1,000 images (600 to fit, 400 held out), without labels"
    )


def test_a_policy_head_that_is_not_run_says_that_the_exits_may_have_moved() -> None:
    used = policy_head_words(from_plain(HEAD, HeadFacts))
    unused = policy_head_words(from_plain({**HEAD, "used": False}, HeadFacts))
    assert "1,234 multiply-accumulates, 0.10\u00a0% of those of one timestep" in used and "not run" not in used
    assert unused.startswith(used) and "It is not run" in unused and "thresholds were chosen anew" in unused


@pytest.mark.parametrize(("neuron", "words"), [
    ({"kind": "signed", "alphabet": [-1, 0, 1]}, "{-1, 0, 1}"),
    ({"kind": "if", "alphabet": [0, 1], "bits_per_spike": 1}, "{0, 1}, 1 bit each"),
    ({"kind": "multilevel", "alphabet": [-4, -2, -1, 0, 1, 2, 4], "bits_per_spike": 3},
     "{-4, -2, -1, 0, 1, 2, 4}, 3 bits each"),
    ({"kind": "group", "alphabet": list(range(-50, 51)), "bits_per_spike": 7},
     "101 values from -50 to 50, 7 bits each"),
    ({"kind": "tracking"}, "any whole number"),
])  # fmt: skip
def test_what_a_spike_may_be(neuron: dict[str, Any], words: str) -> None:
    """Reports from before the bits were said show the spikes alone."""
    assert spike_words(from_plain(neuron, NeuronFacts)) == words
