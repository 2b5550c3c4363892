"""A comparison judges every way on the data that chose nothing, and its page shows it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small_artifacts as small

from seenn_convert.analysis.coverage import policy_macs
from seenn_convert.artifact.files import check_writable
from seenn_convert.artifact.provenance import environment, used_data
from seenn_convert.artifact.schema.coding import from_plain
from seenn_convert.artifact.schema.comparison import Comparison
from seenn_convert.artifact.schema.finetuning import FinetuneOrigin
from seenn_convert.artifact.schema.provenance import PolicyOrigin
from seenn_convert.errors import InputError
from seenn_convert.exits.strategies.basic import STRATEGIES
from seenn_convert.measure import compare as comparing
from seenn_convert.measure.compare import budgets, compare
from seenn_convert.report.render import comparison_page
from seenn_convert.report.write import COMPARISON_FILES, write_comparison
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy


@pytest.fixture(scope="module")
def found() -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "TIMED_IMAGES", 16)
        return compare(small.artifact(), small.dataset(80, 3), small.dataset(90, 4), batch_size=40)


@pytest.fixture(scope="module")
def planned() -> tuple[Comparison, int]:
    """Return the comparison of a network with a policy head, and the head's multiply-accumulates."""
    artifact = attach_policy(small.artifact(), small.dataset(200, 11), PolicyOptions(policy="planned", epochs=3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "TIMED_IMAGES", 80)
        return compare(artifact, small.dataset(80, 3), small.dataset(90, 4), batch_size=40), policy_macs(artifact.snn)


def test_every_way_is_there_and_ends_at_the_full_run(found: Comparison) -> None:
    assert [way.name for way in found.ways] == [strategy.name for strategy in STRATEGIES]
    for way in found.ways:
        last = way.points[-1]
        assert last.average_timesteps == 8
        assert last.accuracy == found.accuracy_at[-1]
        assert (last.points_lost_to_full_run, last.points_lost_to_full_run_interval95) == (0, (0, 0))
        assert last.points_lost == pytest.approx(100 * (found.ann_accuracy - last.accuracy))
        costs = [(point.synaptic_operations, point.milliseconds) for point in way.points]
        assert costs[0] < costs[-1]
        assert all(point.interval95[0] <= point.accuracy <= point.interval95[1] for point in way.points)


def test_no_way_is_better_than_the_ideal(found: Comparison) -> None:
    best = max(point.accuracy for way in found.ways for point in way.points)
    assert found.ideal.accuracy >= best
    assert 1 <= found.ideal.average_timesteps <= 8


def test_times_are_stem_and_timesteps(found: Comparison) -> None:
    prices = found.prices
    assert found.ways[0].points[2].milliseconds == pytest.approx(prices.stem + 3 * prices.step)
    assert 1 <= len(found.measured) <= 3


def test_what_is_said_about_scores(found: Comparison) -> None:
    assert all(len(values) == 8 for values in found.auroc.values())
    assert [row.t for row in found.reliability] == list(range(1, 9))
    assert all(sum(b[0] for b in row.bins_after) == 80 for row in found.reliability)


def test_without_a_policy_head_its_ways_are_missing_and_the_page_says_how_to_get_them(found: Comparison) -> None:
    assert found.policy_macs is None and found.prices.plan is None
    assert "attach-policy" in comparison_page(found)


def test_a_policy_head_adds_two_ways(planned: tuple[Comparison, int]) -> None:
    found, _ = planned
    assert [way.name for way in found.ways][-2:] == ["planned", "planned+confidence"]
    for way in found.ways[-2:]:
        assert len(way.points) >= 3
        assert way.points[-1].accuracy == found.accuracy_at[-1]
    page = comparison_page(found)
    assert "planned + confidence" in page and "attach-policy" not in page


def test_where_the_head_plans_its_costs_are_paid(planned: tuple[Comparison, int]) -> None:
    found, macs = planned
    assert found.policy_macs == macs > 0 and found.prices.plan > 0
    ways = {way.name: way.points for way in found.ways}
    prices = found.prices
    for point in ways["planned"] + ways["planned+confidence"]:
        head = 0.0 if point.plan_price is None else prices.plan
        assert point.milliseconds == pytest.approx(
            prices.stem + head + point.average_timesteps * prices.step
        )
    assert ways["planned"][-1].synaptic_operations == ways["fixed"][-1].synaptic_operations


def test_what_is_run_takes_the_timesteps_that_hindsight_says(planned: tuple[Comparison, int]) -> None:
    """The timed images are all that judge, so the averages are those of the points."""
    found, _ = planned
    ways = {way.name: [point.average_timesteps for point in way.points] for way in found.ways}
    assert {row.way for row in found.measured} == {"confidence", "planned", "planned+confidence"}
    for row in found.measured:
        assert min(abs(row.average_timesteps - average) for average in ways[row.way]) < 1e-9


def test_data_that_calibrated_is_warned_about() -> None:
    same = small.dataset(20, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "TIMED_IMAGES", 4)
        assert "are the calibration images" in compare(small.artifact(), same, same).warnings[0].text
    (part,) = comparing._warnings(small.artifact(), used_data(same.take(12)), used_data(same))
    assert "are among the calibration images" in part.text


@pytest.mark.parametrize("count", [20, 12])  # all that the head was trained on, or some
@pytest.mark.parametrize(("judging", "choosing", "code", "words"), [
    (6, 7, "policy_images", "images of the policy head"), (7, 6, "policy_images_choose", "that choose"),
])  # fmt: skip
def test_data_of_the_policy_head_is_warned_about(judging: int, choosing: int, code: str, words: str, count: int) -> None:
    head = PolicyOrigin(**vars(used_data(small.dataset(20, 6))), options={}, environment=environment())
    given = replace(small.artifact(), provenance=replace(small.artifact().provenance, policy=head))
    data = (used_data(small.dataset(20, seed).take(count)) for seed in (judging, choosing))
    (warning,) = comparing._warnings(given, *data)
    assert warning.code == code and words in warning.text


def test_data_that_trained_the_network_is_warned_about() -> None:
    origin = FinetuneOrigin(**vars(used_data(small.dataset(20, 6))), options={}, environment=environment())
    given = replace(small.artifact(), provenance=replace(small.artifact().provenance, finetuning=origin))
    data = (used_data(small.dataset(20, seed)) for seed in (6, 7))
    (warning,) = comparing._warnings(given, *data)
    assert warning.code == "finetuning_images"


def test_data_without_labels_cannot_judge() -> None:
    with pytest.raises(InputError, match="has no labels"):
        compare(small.artifact(), small.dataset(20, 6, labelled=False), small.dataset(20, 7))


def test_budgets_reach_from_one_to_the_last_timestep_and_stay_few() -> None:
    assert budgets(1) == (1.0,)
    assert (budgets(4)[0], budgets(4)[1], budgets(4)[-1]) == (1.0, 1.25, 4.0)
    assert len(budgets(500)) == 65 and budgets(500)[-1] == pytest.approx(500)


def test_the_page_and_the_numbers_are_written(found: Comparison, tmp_path: Path) -> None:
    page = write_comparison(tmp_path, found)
    text = page.read_text()

    assert from_plain(json.loads((tmp_path / "comparison.json").read_text()), Comparison) == found
    assert text.startswith("<!DOCTYPE html>")
    for words in ("Accuracy against average timesteps", "Points of accuracy lost", "AUROC", "patience", "one temperature, one"):
        assert words in text
    assert "src=" not in text and "href=" not in text


def test_a_folder_that_is_not_there_is_said_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        check_writable(tmp_path / "none", COMPARISON_FILES)
