"""The tutorial runs from top to bottom, and what it claims is so."""

from typing import Any

import doc_pages
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Run every Python block of the page in one namespace and return it."""
    return doc_pages.run(doc_pages.ROOT / "docs" / "concepts" / "from_scratch.md")


def test_the_ann_is_worth_converting(names: dict[str, Any]) -> None:
    assert names["ann_accuracy"] > 0.9


def test_all_timesteps_are_within_two_points_of_the_ann(names: dict[str, Any]) -> None:
    assert abs(names["snn_accuracy"] - names["ann_accuracy"]) <= 0.02


def test_early_exit_is_within_two_points_of_the_ann(names: dict[str, Any]) -> None:
    assert abs(names["exit_accuracy"] - names["ann_accuracy"]) <= 0.02


def test_early_exit_takes_less_than_half_of_the_timesteps(names: dict[str, Any]) -> None:
    assert 1 <= names["average_timesteps"] < names["T"] / 2


def test_the_rows_computed_are_the_sum_of_the_exit_steps(names: dict[str, Any]) -> None:
    assert names["row_steps"] == names["exit_step"].sum().item() < names["T"] * len(names["test_images"]) / 2


def test_early_exit_is_hindsight(names: dict[str, Any]) -> None:
    assert names["agreement"] > 0.995


def test_longer_runs_come_closer_to_the_ann(names: dict[str, Any]) -> None:
    """The relative error of the mean logits falls from the first timestep to the last."""
    wanted = names["ann"](names["test_images"])
    errors = [(logits - wanted).norm() / wanted.norm() for logits in names["test_logits"]]

    assert errors[-1] < 0.5 * errors[0]
