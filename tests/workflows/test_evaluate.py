"""An evaluation warns of what weakens it: images of another kind, a certificate that does not hold."""

from dataclasses import replace
from pathlib import Path

import pytest
import small_artifacts as small
import torch
from torch import nn

from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.artifact.schema.manifest import ConversionFacts
from seenn_convert.artifact.schema.report import Report
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.measure import evaluate as evaluate_file
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert
from seenn_convert.workflows.evaluate import evaluate


@pytest.fixture(scope="module")
def certified() -> Artifact:
    return convert(small.source(), small.dataset(400), Options(timesteps=6, certify=Certify(0.1, 0.1)))


def test_images_of_the_same_kind_give_no_warning(certified: Artifact) -> None:
    found = evaluate(certified, small.dataset(400, seed=5))
    assert found.warnings == ()
    assert found.certificate.images == 400 and found.certificate.holds
    assert not found.exit_drift.drifted
    assert found.exit_drift.average_timesteps == pytest.approx(found.early_exit.average_timesteps)
    held_out = certified.report.conversion.exit.held_out
    assert found.exit_drift.calibration_average_timesteps == pytest.approx(held_out.average_timesteps)


@pytest.mark.parametrize(
    ("images", "words"), [(None, "these are the calibration"), (30, "these are among the calibration")]
)
def test_images_that_calibrated_are_said_drawn_ones_too(images: int | None, words: str) -> None:
    data = small.dataset()
    drawn = data if images is None else data.take(images)
    assert any(one.text.startswith(words) for one in evaluate(small.artifact(), drawn).warnings)
    fresh = small.dataset(seed=5).take(30)
    assert "calibration_images" not in [one.code for one in evaluate(small.artifact(), fresh).warnings]


def test_images_of_another_kind_are_said_with_what_to_do(certified: Artifact) -> None:
    """Bars that can hardly be seen: what is sure on the calibration images is not sure here."""
    pixels, labels = small.draw(400, 5)
    unseen = small.as_dataset(0.5 * torch.randn_like(pixels) + 0.1 * pixels, labels)
    found = evaluate(certified, unseen)
    assert found.exit_drift.drifted
    (gap, drift), codes = found.warnings[:2], [one.code for one in found.warnings]
    assert codes[:2] == ["ann_gap", "exit_drift"] and "the likely reason" in drift.text
    assert "fit the exits to labelled images of this kind" in gap.text
    (alone,) = evaluate(
        replace(certified, facts=replace(certified.facts, ann_right=None, ann_confidence=None)), unseen
    ).warnings[:1]
    assert alone.code == "exit_drift" and "calibrate again with images of this kind" in alone.text


def test_drift_is_unknown_without_the_exits_of_the_calibration_images_by_this_policy(certified: Artifact) -> None:
    found = evaluate(replace(certified, facts=ConversionFacts()), small.dataset(60, seed=5))
    assert found.exit_drift is None and found.certificate is not None
    other = replace(certified, policy=ThresholdPolicy("confidence", (0.5,) * 6))
    found = evaluate(other, small.dataset(60, seed=5))
    assert found.exit_drift is None and found.certificate is None


def test_a_certificate_that_does_not_hold_is_a_warning(certified: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = evaluate_file.run_once

    def other_answers(*args: object) -> object:
        seen = honest(*args)  # type: ignore[arg-type]
        answers = torch.cat([seen.run.predictions[:-1], (seen.run.predictions[-1:] + 1) % 3])
        return replace(seen, run=replace(seen.run, predictions=answers))

    monkeypatch.setattr(evaluate_file, "run_once", other_answers)
    monkeypatch.setattr(evaluate_file, "_compare_with_hindsight", lambda *args: 0)
    found = evaluate(certified, small.dataset(100, seed=5))
    assert not found.certificate.holds
    (text,) = [one.text for one in found.warnings if one.code == "certificate_fails"]
    assert "The certificate does not hold here" in text


def test_what_the_report_says_plays_no_part(certified: Artifact) -> None:
    """Parity, drift and diagnosis come from the manifest; the report is for readers."""
    data = small.dataset(60, seed=5)
    one, other = (evaluate(artifact, data) for artifact in (certified, replace(certified, report=Report())))
    for key in ("exit_drift", "layers", "diagnosis", "early_exit", "certificate", "warnings"):
        assert getattr(one, key) == getattr(other, key), key


def test_an_artifact_written_before_evaluates_to_the_same_report() -> None:
    """Every figure that is no time, and the text of every warning."""
    old = load_artifact(Path(__file__).parents[1] / "artifact" / "written_before")
    before, now = old.report.evaluation, evaluate(old, small.dataset(64, 2))
    for key in ("data", "policy", "ann_accuracy", "accuracy_at", "early_exit", "certificate", "exit_drift", "operations",
                "differs_from_hindsight", "trade_off", "examples", "warnings"):  # fmt: skip
        assert getattr(now, key) == getattr(before, key), key
    for one, other in zip(now.layers, before.layers, strict=True):  # lengths are rounded in another precision now
        lengths = {name: getattr(one, name) for name in ("rate_error", "input_error", "error_parts")}
        assert replace(other, **lengths) == one
        assert one.error_parts == pytest.approx(other.error_parts, rel=1e-6, abs=1e-6)
        assert one.rate_error == pytest.approx(other.rate_error, rel=1e-6)
        assert one.input_error == pytest.approx(other.input_error, rel=1e-6, abs=1e-6)
    assert now.diagnosis.suggestion == before.diagnosis.suggestion
    assert now.energy.nanojoule_per_image == before.energy.nanojoule_per_image


def test_an_ann_with_other_classes_is_no_comparison(certified: Artifact) -> None:
    other = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5)).eval()
    with pytest.raises(InputError, match="has 5 classes, the artifact has 3"):
        evaluate(certified, small.dataset(30), against=other)
