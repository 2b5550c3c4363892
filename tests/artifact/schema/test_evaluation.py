"""What follows from the figures of an evaluation."""

from dataclasses import replace

import pytest
import small_artifacts as small

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.evaluation import Evaluation, TwoRuns
from seenn_convert.workflows.evaluate import evaluate


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(small.artifact(), small.dataset(40, seed=5))


def test_it_survives_its_json(found: Evaluation) -> None:
    assert from_plain(to_plain(found), Evaluation) == found


def test_points_are_lost_against_the_ann(found: Evaluation) -> None:
    worse = replace(found, ann_accuracy=0.9, early_exit=replace(found.early_exit, accuracy=0.85))
    assert worse.points_lost == pytest.approx(5.0)
    assert found.full_accuracy == found.accuracy_at[8]


def test_an_older_evaluation_says_less(found: Evaluation) -> None:
    older = to_plain(found)
    for key in ("policy", "certificate", "exit_drift", "timing", "diagnosis", "differs_from_hindsight", "warnings"):
        older.pop(key)
    older["operations"].pop("graded_operations")
    read = from_plain(older, Evaluation)
    assert read.policy is read.timing is None and read.warnings == ()
    assert read.operations.graded_operations == TwoRuns(all_timesteps=0.0, early_exit=0.0)
