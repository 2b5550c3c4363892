"""An evaluation warns of what weakens it: images of another kind, a certificate that does not hold."""

from dataclasses import replace

import pytest
import small_artifacts as small
import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.measure import evaluate as evaluate_file
from seenn_convert.runtime.policies import ThresholdPolicy
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert
from seenn_convert.workflows.evaluate import evaluate_artifact


@pytest.fixture(scope="module")
def certified() -> Artifact:
    return convert(small.trained_net(), small.dataset(400), Options(timesteps=6, certify=Certify(0.1, 0.1)))


def test_images_of_the_same_kind_give_no_warning(certified: Artifact) -> None:
    found = evaluate_artifact(certified, small.dataset(400, seed=5))
    assert found["warnings"] == []
    assert found["certificate"]["images"] == 400 and found["certificate"]["holds"]
    assert not found["exit_drift"]["drifted"]
    assert found["exit_drift"]["average_timesteps"] == pytest.approx(found["early_exit"]["average_timesteps"])
    held_out = certified.report["conversion"]["exit"]["held_out"]
    assert found["exit_drift"]["calibration_average_timesteps"] == pytest.approx(held_out["average_timesteps"])


@pytest.mark.parametrize(
    ("images", "words"), [(None, "these are the calibration"), (30, "these are among the calibration")]
)
def test_images_that_calibrated_are_said_drawn_ones_too(images: int | None, words: str) -> None:
    data = small.dataset()
    drawn = data if images is None else data.take(images)
    assert any(text.startswith(words) for text in evaluate_artifact(small.artifact(), drawn)["warnings"])
    fresh = small.dataset(seed=5).take(30)
    assert not any("calibration images:" in text for text in evaluate_artifact(small.artifact(), fresh)["warnings"])


def test_images_of_another_kind_are_said_with_what_to_do(certified: Artifact) -> None:
    """Bars that can hardly be seen: what is sure on the calibration images is not sure here."""
    pixels, labels = small.draw(400, 5)
    found = evaluate_artifact(certified, small.as_dataset(0.5 * torch.randn_like(pixels) + 0.1 * pixels, labels))
    assert found["exit_drift"]["drifted"]
    assert any("calibrate again with images of this kind" in warning for warning in found["warnings"])


def test_without_the_report_of_the_conversion_drift_is_unknown(certified: Artifact) -> None:
    found = evaluate_artifact(replace(certified, report={}), small.dataset(60, seed=5))
    assert found["exit_drift"] is None and found["certificate"] is not None
    other = replace(certified, policy=ThresholdPolicy("confidence", (0.5,) * 6))
    found = evaluate_artifact(other, small.dataset(60, seed=5))
    assert found["exit_drift"] is None and found["certificate"] is None


def test_a_certificate_that_does_not_hold_is_a_warning(certified: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = evaluate_file.run_counted

    def other_answers(*args: object, **options: object) -> object:
        run, counts = honest(*args, **options)  # type: ignore[arg-type]
        return replace(run, predictions=torch.cat([run.predictions[:-1], (run.predictions[-1:] + 1) % 3])), counts

    monkeypatch.setattr(evaluate_file, "run_counted", other_answers)
    monkeypatch.setattr(evaluate_file, "_compare_with_hindsight", lambda *args: 0)
    found = evaluate_artifact(certified, small.dataset(100, seed=5))
    assert not found["certificate"]["holds"]
    assert any("The certificate does not hold here" in warning for warning in found["warnings"])
