"""Exit policies let the right rows go, survive JSON, and refuse damaged JSON."""

import json

import pytest
import torch

from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.ir.scores import ExitScore
from seenn_convert.runtime.policies import (
    ExitPolicy,
    FixedPolicy,
    PlannedPolicy,
    Readout,
    ThresholdPolicy,
    exit_steps,
    planned_timesteps,
    policy_from_json,
    reads_plan,
)

READOUT = Readout(torch.zeros(4, 3), torch.tensor([0.2, 0.5, 0.8, 1.0]))
INDEX = torch.arange(4)


def at(t: int | list[int]) -> torch.Tensor:
    return torch.tensor([t] * 4 if isinstance(t, int) else t)


def test_fixed_lets_everybody_go_at_its_time() -> None:
    assert FixedPolicy(3).exits(READOUT, at([1, 2, 3, 4]), INDEX).tolist() == [False, False, True, True]


@pytest.mark.parametrize("score", ["confidence", "entropy"])
def test_a_score_must_be_above_the_threshold_of_its_own_timestep(score: str) -> None:
    policy = ThresholdPolicy(score, (0.9, 0.5))
    assert policy.exits(READOUT, at(1), INDEX).tolist() == [False, False, False, True]
    assert policy.exits(READOUT, at(2), INDEX).tolist() == [False, False, True, True]  # 0.5 is not above 0.5
    assert policy.exits(READOUT, at(7), INDEX).tolist() == [False, False, True, True]  # the last one goes on
    assert policy.exits(READOUT, at([1, 2, 1, 2]), INDEX).tolist() == [False, False, False, True]


def test_below_zero_everybody_leaves_and_above_one_nobody() -> None:
    assert ThresholdPolicy("confidence", (-1.0,)).exits(READOUT, at(1), INDEX).all()
    assert not ThresholdPolicy("confidence", (2.0,)).exits(READOUT, at(1), INDEX).any()


def test_a_policy_needs_a_threshold() -> None:
    with pytest.raises(InputError, match="at least one"):
        ThresholdPolicy("confidence", ())


@pytest.mark.parametrize("policy", [FixedPolicy(4), ThresholdPolicy("confidence", (0.1, 2.0, -1.0)), ThresholdPolicy("confidence", (1,)),
                                    ThresholdPolicy("entropy", (0.30000001192092896,)), PlannedPolicy(),
                                    PlannedPolicy(ThresholdPolicy("entropy", (0.5, -1.0)))])  # fmt: skip
def test_json_round_trip(policy: ExitPolicy) -> None:
    read = policy_from_json(json.loads(json.dumps(policy.to_json(), allow_nan=False)))
    assert read == policy
    assert type(read) is type(policy)


@pytest.mark.parametrize("data", [
    {}, {"policy": "fixed"}, {"policy": "fixed", "timesteps": 0}, {"policy": "fixed", "timesteps": True},
    {"policy": "fixed", "timesteps": 2.5}, {"policy": "fixed", "timesteps": "3"}, {"policy": "patience"},
    {"policy": ["fixed"], "timesteps": 1}, {"policy": {}, "thresholds": [0.5]}, {"policy": None},
    {"policy": "confidence"}, {"policy": "confidence", "thresholds": []}, {"policy": "confidence", "thresholds": 0.5},
    {"policy": "confidence", "thresholds": ["0.5"]}, {"policy": "confidence", "thresholds": [float("nan")]},
    {"policy": "confidence", "thresholds": [float("inf")]}, {"policy": "entropy", "thresholds": [True]},
    {"policy": "entropy", "thresholds": [10**400]}, {"policy": "planned+confidence"}, {"policy": "planned+"},
    {"policy": "planned+planned", "thresholds": [0.5]}, {"policy": "__class__", "thresholds": [0.5]},
])  # fmt: skip
def test_damaged_json_is_an_artifact_error(data: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="exit policy"):
        policy_from_json(data)


def test_the_json_of_versions_before_is_written_and_read() -> None:
    """Artifacts hold these texts; each score was a class of its own once."""
    early = ThresholdPolicy("margin", (0.5, -1.0))
    written = {
        FixedPolicy(3): {"policy": "fixed", "timesteps": 3},
        early: {"policy": "margin", "thresholds": [0.5, -1.0]},
        PlannedPolicy(): {"policy": "planned"},
        PlannedPolicy(early): {"policy": "planned+margin", "thresholds": [0.5, -1.0]},
    }
    for policy, data in written.items():
        assert policy.to_json() == data
        assert policy_from_json(data) == policy


def test_a_score_of_the_user_s_own_must_be_handed_in() -> None:
    data, own = {"policy": "lead", "thresholds": [0.5]}, ExitScore("lead", lambda seen: seen.logits[..., 0])
    assert policy_from_json(data, (own,)) == ThresholdPolicy("lead", (0.5,))
    assert policy_from_json({**data, "policy": "planned+lead"}, (own,)) == PlannedPolicy(
        ThresholdPolicy("lead", (0.5,))
    )
    with pytest.raises(ArtifactError, match="'lead'"):
        policy_from_json(data)


def test_exit_steps_are_the_first_crossing_else_the_last_step() -> None:
    scores = torch.tensor([[0.1, 0.9, 0.1, 0.6], [0.7, 0.1, 0.2, 0.9], [0.9, 0.9, 0.3, 0.1]])
    assert exit_steps(ThresholdPolicy("confidence", (0.5,)), scores).tolist() == [2, 1, 3, 1]
    assert exit_steps(ThresholdPolicy("confidence", (0.8, 0.8, 0.8)), scores).tolist() == [3, 1, 3, 2]
    assert exit_steps(FixedPolicy(2), scores).tolist() == [2, 2, 2, 2]
    assert exit_steps(FixedPolicy(9), scores, torch.zeros(3, 4, 5)).tolist() == [3, 3, 3, 3]


PLANNED_READOUT = READOUT._replace(planned=torch.tensor([1, 2, 3, 9]))
EARLY = PlannedPolicy(ThresholdPolicy("confidence", (0.7, 0.4)))


def test_a_plan_lets_everybody_go_at_its_time() -> None:
    assert PlannedPolicy().exits(PLANNED_READOUT, at(2), INDEX).tolist() == [True, True, False, False]


def test_a_plan_with_a_score_is_the_latest_exit() -> None:
    assert EARLY.exits(PLANNED_READOUT, at(1), INDEX).tolist() == [True, False, True, True]
    assert EARLY.exits(PLANNED_READOUT, at(2), INDEX).tolist() == [True, True, True, True]
    assert not EARLY.exits(READOUT._replace(planned=torch.full((4,), 9)), at(1), INDEX)[:2].any()


def test_only_planned_policies_read_a_plan_and_they_need_one() -> None:
    assert [reads_plan(policy) for policy in (FixedPolicy(2), ThresholdPolicy("confidence", (0.5,)), PlannedPolicy(), EARLY)] == [
        False, False, True, True,
    ]  # fmt: skip
    for policy in (PlannedPolicy(), EARLY):
        with pytest.raises(InputError, match="attach a policy head"):
            policy.exits(READOUT, at(1), INDEX)


def test_the_plan_is_the_likeliest_exit_counted_from_1() -> None:
    assert planned_timesteps(torch.tensor([[0.1, 3.0, 1.0], [2.0, 0.0, 1.0]])).tolist() == [2, 1]


def test_hindsight_of_a_plan_is_the_plan_and_of_both_the_earlier_exit() -> None:
    scores = torch.tensor([[0.1, 0.9, 0.1], [0.7, 0.1, 0.2], [0.9, 0.9, 0.3]])
    planned = torch.tensor([3, 3, 2])
    assert exit_steps(PlannedPolicy(), scores, planned=planned).tolist() == [3, 3, 2]
    both = PlannedPolicy(ThresholdPolicy("confidence", (0.5,)))
    assert exit_steps(both, scores, planned=planned).tolist() == [2, 1, 2]
