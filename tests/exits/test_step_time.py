"""A time becomes timesteps by what stem and step cost; the clock of these tests is made up."""

import pytest
import small_artifacts as small
import torch

from seenn_convert.errors import InputError
from seenn_convert.exits.step_time import REPEATS, StepTime, time_for
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.runtime import stopwatch

IMAGES = small.draw(20, 5)[0]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stems last 40 ms and steps 200 ms; the first of each lasts a minute longer and is not counted."""
    now, calls = [0.0], [0]

    def tick() -> float:
        stem, first = calls[0] // 2 % 2 == 0, calls[0] < 4
        now[0] += (0.04 if stem else 0.2) + 60 * first if calls[0] % 2 else 0.0
        calls[0] += 1
        return now[0]

    monkeypatch.setattr(stopwatch.time, "perf_counter", tick)


def test_stem_and_step_are_medians_per_image_and_timesteps_follow() -> None:
    """20 images: the stem takes 2 ms per image and a step 10 ms, so 47 ms are 4.5 timesteps."""
    found = time_for(ExitTarget(milliseconds=47.0), small.model(8), IMAGES)
    assert found == StepTime(
        pytest.approx(2.0), pytest.approx(10.0), 20, REPEATS, "cpu", torch.get_num_threads(), pytest.approx(4.5)
    )


def test_more_time_than_the_full_run_takes_is_the_full_run() -> None:
    assert time_for(ExitTarget(milliseconds=1000.0), small.model(8), IMAGES).timesteps == 8


def test_less_time_than_one_timestep_takes_is_refused() -> None:
    with pytest.raises(InputError, match=r"a target of 11 ms per image is out of reach: the stem \(2 ms\) and one timestep "
                                         r"\(10 ms\) take 12 ms here, 20 images together on cpu; allow more time"):  # fmt: skip
        time_for(ExitTarget(milliseconds=11.0), small.model(8), IMAGES)
    assert time_for(ExitTarget(milliseconds=12.1), small.model(8), IMAGES).timesteps == pytest.approx(1.01)
