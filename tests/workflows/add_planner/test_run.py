"""A policy head is attached, survives the disk, and does on unseen images what hindsight says."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import small_artifacts as small
import torch

from seenn_convert.analysis.coverage import policy_macs
from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.errors import ArtifactError, CalibrationDataError, InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.measure.energy import MULTIPLY_ACCUMULATE_PJ
from seenn_convert.report.render import report_page
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy
from seenn_convert.training.planner.rewards import PaperReward, PricedReward
from seenn_convert.workflows.add_planner.options import PolicyOptions
from seenn_convert.workflows.add_planner.run import attach_policy
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert, recalibrate
from seenn_convert.workflows.evaluate import evaluate

FEW = PolicyOptions(policy="planned", target=ExitTarget(timesteps=3.0), epochs=3)
DATA = small.dataset(300, 11)


@pytest.fixture(scope="module")
def planned():
    return attach_policy(small.artifact(), DATA, FEW)


def test_the_network_stays_as_it_is(planned) -> None:
    before = small.artifact()
    assert before.snn.policy_head is None and before.policy.to_json()["policy"] == "confidence"
    assert planned.policy == PlannedPolicy()
    assert planned.snn.graph_module is not None and planned.ann is before.ann
    images = small.draw(20, 3)[0]
    fixed = [run_early_exit(a.model(), [images], 20, FixedPolicy(4)).logits for a in (before, planned)]
    assert torch.equal(*fixed)


def test_the_report_says_what_the_held_out_images_do(planned) -> None:
    """Run with the attached head, the held-out images take the reported timesteps and give the reported accuracy."""
    from seenn_convert.exits.tune import split_calibration
    from seenn_convert.workflows.add_planner.run import HELD_OUT_SHARE

    held_out = list(split_calibration(300, 0, HELD_OUT_SHARE).held_out)
    images, labels = small.draw(300, 11)
    trace = run_early_exit(planned.model(), [images[held_out]], 64)
    told = planned.report.conversion.exit.held_out
    assert trace.average_timesteps == pytest.approx(told.average_timesteps)
    assert float((trace.predictions == labels[held_out]).double().mean()) == pytest.approx(told.accuracy)
    assert told.reached and told.average_timesteps <= 3.0


def test_save_load_evaluate(planned, tmp_path: Path) -> None:
    planned.save(tmp_path / "a")
    again = load_artifact(tmp_path / "a")
    assert again.policy == planned.policy
    images = small.draw(40, 8)[0]
    one, two = (run_early_exit(a.model(), [images], 16) for a in (planned, again))
    assert torch.equal(one.logits, two.logits) and torch.equal(one.exit_step, two.exit_step)

    result = evaluate(again, small.dataset(80, 9), batch_size=32)
    head = policy_macs(again.snn)
    assert result.differs_from_hindsight == 0
    assert result.operations.policy_macs == head > 0
    operations, joule = result.operations, result.energy.nanojoule_per_image
    graded, all_of_it = operations.graded_operations.early_exit, operations.synaptic_operations.early_exit
    expected = (operations.stem_macs + head + graded) * MULTIPLY_ACCUMULATE_PJ + (all_of_it - graded) * 0.9
    assert joule.early_exit == pytest.approx(expected / 1000)
    page = report_page(replace(again.report, evaluation=result))
    assert "after the number of timesteps that the policy head chose" in page


def test_an_evaluation_without_a_plan_pays_no_head(planned) -> None:
    thresholds = replace(planned, policy=small.artifact().policy)
    assert evaluate(thresholds, small.dataset(40, 9), 32).operations.policy_macs == 0


@pytest.mark.slow
def test_both_rules_together_and_other_options(tmp_path: Path) -> None:
    """Whichever choice is taken: it is written, read, and equals hindsight on unseen images."""
    for options in (
        replace(FEW, policy="planned+confidence"), replace(FEW, policy="planned+confidence", right="agreement"),
        replace(FEW, reads="image", gradient="sampled"), replace(FEW, reward=PaperReward((5.0, 0.5)), right="labels"),
        replace(FEW, target=None),
    ):  # fmt: skip
        artifact = attach_policy(small.artifact(), DATA, options)
        artifact.save(tmp_path / "a")
        assert evaluate(load_artifact(tmp_path / "a"), small.dataset(40, 9), 32).differs_from_hindsight == 0
    assert artifact.report.conversion.exit.target == small.artifact().report.conversion.exit.target


def test_a_plan_with_a_score_goes_through_an_artifact(planned, tmp_path: Path) -> None:
    artifact = replace(planned, policy=PlannedPolicy(small.artifact().policy))
    artifact.save(tmp_path / "a")
    again = load_artifact(tmp_path / "a")
    assert again.policy == artifact.policy
    assert evaluate(again, small.dataset(60, 9), 32).differs_from_hindsight == 0
    with pytest.raises(InputError, match="thresholds for 8 timesteps"):
        replace(artifact, policy=PlannedPolicy(ThresholdPolicy("confidence", (0.5,)))).save(tmp_path / "b")


def test_the_batch_size_does_not_matter_and_the_seed_does(planned) -> None:
    def weights(artifact) -> list[torch.Tensor]:
        return list(artifact.snn.policy_head.state_dict().values())

    again = attach_policy(small.artifact(), DATA, replace(FEW, batch_size=33))
    other = attach_policy(small.artifact(), DATA, replace(FEW, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(weights(planned), weights(again), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(planned), weights(other), strict=True))


def test_a_second_head_takes_the_place_of_the_first(planned) -> None:
    second = attach_policy(planned, DATA, replace(FEW, reward=PricedReward((0.3,))))
    passes = [one.name for one in second.report.conversion.passes]
    assert passes.count("AttachPolicy") == 1
    assert second.report.conversion.exit.head.settings == (0.3,)


def test_calibrating_again_drops_the_head_and_says_so(planned) -> None:
    fresh = recalibrate(planned, small.dataset(), Options(timesteps=3, calibration="fast", batch_size=32))
    assert fresh.snn.policy_head is None
    assert fresh.report.conversion.warnings[-1].code == "policy_head_gone"
    assert "attach one again" in small.warnings(fresh.report)


def test_without_labels(tmp_path: Path) -> None:
    data = small.dataset(120, 4, labelled=False)
    artifact = attach_policy(small.artifact(), data, FEW)
    assert artifact.report.conversion.exit.held_out.reference == 1.0
    with pytest.raises(CalibrationDataError, match="no labels"):
        attach_policy(small.artifact(), data, replace(FEW, right="labels"))


def test_data_that_cannot_serve() -> None:
    with pytest.raises(CalibrationDataError, match="99 images are too few to train a policy head; give at least 100"):
        attach_policy(small.artifact(), small.dataset(99), FEW)
    with pytest.raises(InputError, match="images have shape"):
        attach_policy(small.artifact(), small.as_dataset(torch.zeros(200, 1, 9, 9), None), FEW)


def test_a_target_time_becomes_the_timesteps_that_it_was_worth() -> None:
    def with_time(told: float | None) -> Artifact:
        artifact = small.artifact()
        options = {**artifact.provenance.options, "target": asdict(ExitTarget(milliseconds=5.0))}
        return replace(
            artifact,
            provenance=replace(artifact.provenance, options=options),
            facts=replace(artifact.facts, target_timesteps=told),
        )

    planned = attach_policy(with_time(2.5), DATA, replace(FEW, target=None))
    assert planned.report.conversion.exit.target == ExitTarget(timesteps=2.5)
    with pytest.raises(InputError, match="converted for 5 ms per image.*give --target-timesteps"):
        attach_policy(with_time(None), DATA, replace(FEW, target=None))


def test_a_target_beyond_the_longest_run_is_refused() -> None:
    with pytest.raises(InputError, match="at most the longest run of 8 timesteps, got 9"):
        attach_policy(small.artifact(), DATA, replace(FEW, target=ExitTarget(timesteps=9)))


def test_a_certificate_of_the_exits_before_is_gone_everywhere() -> None:
    options = Options(timesteps=4, calibration="fast", batch_size=32, certify=Certify(0.2, 0.1))
    certified = convert(small.source(), small.dataset(), options)
    assert certified.certificate is not None and certified.report.conversion.certificate is not None
    planned = attach_policy(certified, DATA, FEW)
    conversion = planned.report.conversion
    assert planned.certificate is None and conversion.certificate is None
    assert "certificate_gone" in [one.code for one in conversion.warnings]


def test_one_timestep_leaves_nothing_to_plan() -> None:
    artifact = convert(small.source(), small.dataset(), Options(timesteps=1, calibration="fast", batch_size=32))
    with pytest.raises(InputError, match="nothing to plan"):
        attach_policy(artifact, DATA, FEW)


def test_an_evaluation_on_the_images_of_the_head_is_warned_about(planned) -> None:
    assert [one.code for one in evaluate(planned, DATA).warnings] == ["policy_images"]


@pytest.mark.parametrize("damage", [
    lambda program: program.pop("policy"),
    lambda program: program["policy"]["modules"]["policy_0"].update(operator="Sequential"),
    lambda program: program["policy"]["nodes"].pop(),
    lambda program: program["policy"]["nodes"][1].update(inputs=["image"]),
    lambda program: program.update(policy=program["stem"]),
    lambda program: program.update(policy=None),
])  # fmt: skip
def test_a_damaged_head_is_an_artifact_error(planned, tmp_path: Path, damage) -> None:
    from seenn_convert.artifact.files import sha256_of, sha256_of_json

    planned.save(tmp_path / "a")
    path, manifest_path = tmp_path / "a" / "program.json", tmp_path / "a" / "manifest.json"
    program, manifest = json.loads(path.read_text()), json.loads(manifest_path.read_text())
    damage(program)
    path.write_text(json.dumps(program))
    manifest["files"]["program.json"] = sha256_of(path)
    manifest.pop("checksum")
    manifest_path.write_text(json.dumps({**manifest, "checksum": sha256_of_json(manifest)}))
    with pytest.raises(ArtifactError):
        load_artifact(tmp_path / "a")
