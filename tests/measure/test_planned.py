"""The report of a policy head: what it costs, what was chosen, and what a reader must be warned about."""

import json
from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.artifact.schema.report import Report
from seenn_convert.exits.choose import Setting
from seenn_convert.exits.plan_choice import PlanDecision
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.planned import _warnings
from seenn_convert.report.narrative.exits import policy_head_words
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy


@pytest.fixture(scope="module")
def report() -> Report:
    options = PolicyOptions(policy="planned", target=ExitTarget(timesteps=3.0), epochs=2)
    return attach_policy(small.artifact(), small.dataset(200, 11), options).report


def test_costs_and_times(report: Report) -> None:
    head = report.conversion.exit.head
    assert head.share_of_timestep == pytest.approx(head.macs / (6540 - 2880))
    seconds = head.seconds
    assert seconds.training_without_cache == pytest.approx(2 * seconds.readouts + seconds.training)
    assert set(head.frontier) == {"fixed", "planned", "score"}
    for points in head.frontier.values():
        drops = [point.expected_drop for point in points]
        assert drops == sorted(drops, reverse=True)


def test_it_is_a_report_like_others_without_the_old_evaluation(report: Report) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(report))), Report) == report
    assert report.evaluation is None
    assert report.conversion.operators == small.artifact().report.conversion.operators


def test_the_page_says_what_the_head_is(report: Report) -> None:
    words = policy_head_words(report.conversion.exit.head)
    assert "reads the drive" in words and "200 images of bars.npz" in words


@pytest.mark.parametrize(("choice", "held_out", "part"), [
    (Setting(1.9, 2.0, head=0), 900, None),
    (Setting(2.1, 2.0, head=0), 900, "no better than the same number of timesteps"),
    (Setting(1.0, 2.0, (0.5,)), 900, "is not used"),
    (Setting(1.0, 2.0, reached=False, head=0), 900, "was not reached"),
    (Setting(1.0, 2.0, head=0), 30, "only 30 held-out images"),
])  # fmt: skip
def test_warnings(choice: Setting, held_out: int, part: str | None) -> None:
    """Stopping all after 1 or 3 timesteps loses 4 or 0 points, so 2 points at 2 timesteps is what a mixture loses."""
    fixed = [Setting(4.0, 1.0), Setting(0.0, 3.0)]
    warnings = list(_warnings(PlanDecision(choice, 0, {"fixed": fixed}), held_out))
    assert len(warnings) == (part is not None)
    assert part is None or part in warnings[0].text


def test_a_head_can_be_attached_without_a_report() -> None:
    """What is not known of the conversion stays unknown; what the head was trained on is in the provenance."""
    bare = replace(small.artifact(), report=Report())
    options = PolicyOptions(policy="planned", target=ExitTarget(timesteps=3.0), epochs=1)
    made = attach_policy(bare, small.as_dataset(torch.randn(120, 1, 8, 8), None), options)
    assert made.report.conversion is None and made.report.environment is not None
    assert made.policy.to_json() == {"policy": "planned"} and made.provenance.policy.images == 120
