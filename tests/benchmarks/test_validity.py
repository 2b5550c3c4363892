"""The simulation of validity counts what it should: on a pool whose risks are known."""

from pathlib import Path
from typing import Any

import pytest
import torch

from seenn_convert.exits.certificates.bounds import binomial_tails

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def validity(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    import validity  # type: ignore[import-not-found]

    return validity


def pool_of(validity: Any, changed: list[int], images: int = 1000) -> Any:
    """Return a pool in which point after point that many images get another, wrong answer."""
    full = torch.zeros(images, dtype=torch.int64)
    answers = torch.stack([(torch.arange(images) < count).long() for count in changed])
    timesteps = torch.linspace(8, 1, len(changed), dtype=torch.float64)
    return validity.Pool(timesteps, answers, full, full.clone())


def test_a_certificate_is_broken_as_often_as_the_binomial_tail_says(validity: Any) -> None:
    """One point of risk 2.1 % behind the full run: with 400 images and epsilon 2 %, it passes at 3 failures or fewer."""
    pool = pool_of(validity, [0, 21])
    (row, accuracy) = validity.simulate(pool, 400, (0.02,), 0.05, 2000)
    expected = float(binomial_tails(400, 0.021)[3])
    assert row["binomial"]["broken"] == pytest.approx(expected, abs=0.012)
    assert row["binomial"]["average_timesteps"] == pytest.approx(8 - 7 * row["binomial"]["broken"])
    assert row["betting"]["broken"] <= 0.05
    assert row["naive"]["broken"] == pytest.approx(float(binomial_tails(400, 0.021)[8]), abs=0.03)
    assert (accuracy["risk"], accuracy["binomial"]) == ("accuracy", row["binomial"])  # all that changes is lost


def test_a_point_well_within_epsilon_is_reached(validity: Any) -> None:
    row = validity.simulate(pool_of(validity, [0, 1, 2, 300]), 1000, (0.02,), 0.05, 200)[0]
    assert row["best_timesteps"] == pytest.approx(8 - 2 * 7 / 3)
    for rule in ("binomial", "betting", "naive"):
        assert row[rule]["broken"] == 0 and row[rule]["average_timesteps"] == pytest.approx(row["best_timesteps"])
    assert row["binomial"]["risk"] == pytest.approx(0.002)


def test_too_few_images_certify_nothing(validity: Any) -> None:
    row = validity.simulate(pool_of(validity, [0, 1]), 100, (0.01,), 0.05, 20)[0]
    assert row["binomial"] is row["betting"] is None and row["naive"] is not None
