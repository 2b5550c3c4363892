"""A network calibrated on images that it memorised is too sure of new ones: this is said, and validation images mend it."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError
from seenn_convert.measure.reliability import calibration_error

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

OPTIONS = sc.Options(timesteps=8, calibration="fast")


@cache
def drawn(seed: int, count: int) -> tuple[Tensor, Tensor]:
    """Return noise ``(N, 1, 6, 6)`` with a faint bar at one of three places, and the place."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (count,), generator=generator)
    images = torch.randn(count, 1, 6, 6, generator=generator)
    for row, label in enumerate(labels.tolist()):
        images[row, :, 2 * label : 2 * label + 2] += 0.35
    return images, labels


OWN, VALIDATION, TEST = drawn(0, 400), drawn(1, 600), drawn(2, 1500)


@cache
def memorising() -> nn.Module:
    """Return a network that was trained until it is right on all of its few images."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 3))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(OWN[0]), OWN[1]).backward()
        optimizer.step()
    return net.eval()


def ann_accuracy(images: Tensor, labels: Tensor) -> float:
    return float((memorising()(images).argmax(1) == labels).double().mean())


@cache
def converted(known: str = "nothing") -> sc.Artifact:
    given = {"accuracy": {"ann_accuracy": ann_accuracy(*TEST)}, "validation": {"validation_data": VALIDATION}}
    return sc.convert(memorising(), OWN, OPTIONS, **given.get(known, {}))  # type: ignore[arg-type]


def said(artifact: sc.Artifact) -> dict[str, str]:
    conversion = artifact.report.conversion
    return {one.code: one.text for one in (*conversion.warnings, *conversion.notes)}


def honesty(artifact: sc.Artifact) -> float:
    """Return the calibration error of the confidence at the exits, on test images."""
    trace = artifact.model()(TEST[0])
    return calibration_error(trace.confidence, trace.predictions == TEST[1])


def test_the_network_has_memorised_its_images() -> None:
    assert ann_accuracy(*OWN) > 0.95 and ann_accuracy(*TEST) < 0.75


def test_a_stated_accuracy_shows_the_gap_at_conversion() -> None:
    text = said(converted("accuracy"))["calibration_memorised"]
    assert f"right on {ann_accuracy(*OWN):.1%} of the calibration images" in text
    assert f"said to be right on {ann_accuracy(*TEST):.1%}" in text and "--exit-data" in text


def test_with_validation_images_the_confidence_is_honest() -> None:
    mended = converted("validation")
    text = said(mended)["calibration_memorised"]
    assert (
        f"{ann_accuracy(*OWN):.1%} of the calibration images and right on {ann_accuracy(*VALIDATION):.1%} of the exit"
        in text
    )
    assert honesty(mended) < 0.08 < 0.2 < honesty(converted())
    facts = mended.report.conversion.calibration
    assert (facts.images, facts.validation.images, facts.exits.held_out_images) == (400, 600, 240)
    held_out = mended.report.conversion.exit.held_out
    assert held_out.reference == pytest.approx(ann_accuracy(*TEST), abs=0.08)
    assert sum(held_out.exit_counts.values()) == 240


def test_thresholds_still_come_from_the_calibration_images() -> None:
    one, two = (converted(known).provenance.calibration.thresholds for known in ("nothing", "validation"))
    assert one == two


def test_evaluation_names_the_likely_reason() -> None:
    """With validation images the ANN is as right on new images as on those, and nothing is said."""
    warnings = sc.evaluate(converted(), TEST).warnings
    sure = sc.evaluate(converted(), TEST).confidence
    assert sure.calibration_error == pytest.approx(honesty(converted()), abs=1e-6) and sure.average > 0.85
    gap = next(one for one in warnings if one.code == "ann_gap")
    assert "seen the calibration images in training" in gap.text and warnings[0] == gap
    assert not any("images of another kind" in one.text and one.code != "ann_gap" for one in warnings)
    assert "ann_gap" not in [one.code for one in sc.evaluate(converted("validation"), TEST).warnings]


def test_evaluation_on_images_that_were_memorised_does_not_doubt_the_validation_images() -> None:
    """That the ANN is right on more calibration than validation images is known already, and the reason with it."""
    found = sc.evaluate(converted("validation"), OWN).warnings
    assert [one.code for one in found[:2]] == ["calibration_images", "ann_gap"]
    assert found[1].text.endswith("it has probably seen these in training")


def test_calibrating_again_without_the_validation_images_is_a_warning() -> None:
    old = converted("validation")
    assert "--exit-data" in said(sc.recalibrate(old, OWN))["validation_gone"]
    kept, plain = sc.recalibrate(old, OWN, validation_data=VALIDATION), sc.recalibrate(converted(), OWN)
    now_calibration = sc.recalibrate(old, VALIDATION)
    assert not any("validation_gone" in said(one) for one in (old, kept, plain, now_calibration))


def test_a_certificate_rests_on_the_validation_images() -> None:
    options = sc.Options(timesteps=8, calibration="fast", certify=sc.Certify(0.05, 0.05))
    artifact = sc.convert(memorising(), OWN, options, validation_data=VALIDATION)
    assert artifact.certificate.images == 240
    check = sc.evaluate(artifact, TEST).certificate
    assert check.holds


def test_the_validation_images_are_not_for_evaluation_and_not_for_calibration() -> None:
    assert [one.code for one in sc.evaluate(converted("validation"), VALIDATION).warnings] == ["validation_images"]
    with pytest.raises(InputError, match="the exit images are calibration images"):
        sc.convert(memorising(), OWN, OPTIONS, validation_data=OWN)


@pytest.mark.parametrize("share", [0, 62, -0.1, "0.62", True, float("nan")])
def test_an_accuracy_that_is_none(share: object) -> None:
    with pytest.raises(InputError, match="ann_accuracy must be a share"):
        sc.convert(memorising(), OWN, OPTIONS, ann_accuracy=share)  # type: ignore[arg-type]


def test_unlabelled_calibration_images_and_validation_images() -> None:
    """Thresholds need no labels: exits come from the validation images, and no answer of the ANN stands in."""
    artifact = sc.convert(memorising(), OWN[0], OPTIONS, validation_data=VALIDATION)
    assert artifact.report.conversion.calibration.labelled and "no_labels" not in said(artifact)
    assert honesty(artifact) < 0.08


def test_both_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, (images, labels) in {"own": OWN, "validation": VALIDATION}.items():
        np.savez(tmp_path / f"{name}.npz", x=images.numpy(), y=labels.numpy())
    converted().save(tmp_path / "net")
    calibrate = ["calibrate", str(tmp_path / "net"), "--data", str(tmp_path / "own.npz"), "-o", str(tmp_path / "new")]
    main([*calibrate, "--ann-accuracy", "65%", "--json"])
    warnings = json.loads(capsys.readouterr().out)["conversion"]["warnings"]
    assert "calibration_memorised" in [one["code"] for one in warnings]
    main([*calibrate, "--validation-data", str(tmp_path / "validation.npz")])
    out = capsys.readouterr().out
    assert "held-out exit images: " in out and "of the held-out exit images" in out
    main(["inspect", str(tmp_path / "new")])
    assert sc.load_artifact(tmp_path / "new").facts.ann_right.of == "validation"
    with pytest.raises(SystemExit) as stop:
        main([*calibrate, "--ann-accuracy", "65"])
    assert stop.value.code == 2


def test_with_nothing_known_the_advice_is_given_plainly() -> None:
    (text,) = [text for code, text in said(converted()).items() if code in ("exits_assume_unseen", "ann_nearly_always_right")]
    assert "calibrate exits and certificates on images that it was not trained on (--exit-data)" in text


def test_a_promise_that_fails_is_put_down_to_the_memorised_images_and_the_advice_mends_it() -> None:
    certified = sc.Options(timesteps=8, calibration="fast", certify=sc.Certify(0.05, 0.05))
    broken = sc.evaluate(sc.convert(memorising(), OWN, certified), TEST)
    assert not broken.certificate.holds and broken.certificate.reason == "memorised"
    (text,) = [one.text for one in broken.warnings if one.code == "certificate_fails"]
    assert "seenn-convert calibrate ARTIFACT --exit-data NEW" in text
    mended = sc.recalibrate(converted(), options=certified, exit_data=VALIDATION)
    assert sc.evaluate(mended, TEST).certificate.holds
