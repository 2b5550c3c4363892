"""Options of a policy head are checked when they are chosen."""

import pytest

from seenn_convert.errors import InputError
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.training.planner.rewards import PaperReward
from seenn_convert.workflows.add_planner.options import PolicyOptions


def test_every_problem_is_listed() -> None:
    with pytest.raises(InputError) as error:
        PolicyOptions(policy="sorted", reads="label", reward="price", right="maybe", gradient="none", epochs=0,
                      batch_size=1.5, target=2.0)  # type: ignore[arg-type]  # fmt: skip
    for part in ("policy must", "head reads must", "reward must", "right must", "gradient must", "epochs must",
                 "batch size must", "target must"):  # fmt: skip
        assert part in str(error.value)


def test_a_time_is_no_target_of_a_policy_head() -> None:
    with pytest.raises(InputError, match="a drop or timesteps"):
        PolicyOptions(target=ExitTarget(milliseconds=2.0))


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="device"):
        PolicyOptions(device="abacus")


def test_what_decides_about_the_result_is_plain_data() -> None:
    told = PolicyOptions(reward=PaperReward((2.0,)), seed=3).to_json()
    assert (told["reward"], told["settings"], told["seed"], told["entropy"]) == ("paper", [2.0], 3, 0.0)
    assert not {"batch_size", "device"} & set(told)
