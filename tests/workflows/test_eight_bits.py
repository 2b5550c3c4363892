"""An export in 8 bits has exits of its own, says what rounding did, and promises nothing that was not measured again."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import small_artifacts as small
import spiking_networks as nets
import torch
from torch import nn

import seenn_convert as sc
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.exits.tune import split_calibration
from seenn_convert.exporters.document import read_document
from seenn_convert.exporters.eight_bits import rounded
from seenn_convert.ir.operators import Reshape
from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
from seenn_convert.passes.base import run_passes
from seenn_convert.runtime.policies import PlannedPolicy, ThresholdPolicy
from seenn_convert.workflows.adopt.options import AdoptOptions
from seenn_convert.workflows.adopt.run import adopt
from seenn_convert.workflows.convert.options import options_from_json

NEW = small.draw(120, 9)


@cache
def certified() -> Artifact:
    """Return the small classifier with a certificate of 20 %, which 48 held-out images can give."""
    options = replace(options_from_json(small.artifact().provenance.options), certify=Certify(0.2, 0.05))
    return sc.recalibrate(small.artifact(), exit_data=small.draw(120, 8), options=options)


def test_exits_are_fitted_again_and_the_effect_is_judged_on_other_images(tmp_path: Path) -> None:
    """Of 120 images 72 fit and 48 judge; the figures are those of the two networks on these 48."""
    artifact = small.artifact()
    made = sc.export(artifact, "onnx", tmp_path / "out", NEW, precision="int8")
    found, document = made.rounding, read_document(tmp_path / "out")
    assert found is not None and made.verification is not None

    assert (found.exits, found.fitted_images, found.judged_images) == ("fitted", 72, 48)
    assert (made.verification.answers_differ, made.verification.exits_differ) == (0, 0)
    assert document.rounding == found and document.certificate is None
    assert document.policy != artifact.policy.to_json()
    held_out = list(split_calibration(120, 0).held_out)
    before = sc.run_early_exit(artifact.model(), NEW[0][held_out], 48)
    assert found.accuracy is not None and found.average_timesteps is not None
    assert found.accuracy[0] == pytest.approx(float((before.predictions == NEW[1][held_out]).double().mean()))
    assert found.average_timesteps[0] == pytest.approx(before.average_timesteps)


def test_a_certificate_is_made_again_or_dropped_in_words(tmp_path: Path) -> None:
    """48 held-out images can certify 20 %; 8 cannot, and then the export says so and certifies nothing."""
    artifact = certified()
    assert artifact.certificate is not None
    sc.export(artifact, "onnx", tmp_path / "again", NEW, precision="int8")
    again = read_document(tmp_path / "again").certificate
    few = sc.export(artifact, "onnx", tmp_path / "few", (NEW[0][:20], NEW[1][:20]), precision="int8")

    assert again is not None and again.images == 48 and again.epsilon == 0.2
    assert read_document(tmp_path / "few").certificate is None
    assert few.rounding is not None and "8 held-out images of 20 exit images are too few" in few.rounding.notes[0]


def test_without_images_the_exits_stay_and_nothing_is_certified(tmp_path: Path) -> None:
    artifact = certified()
    made = sc.export(artifact, "onnx-loop", tmp_path / "out", precision="int8", images=8)
    document = read_document(tmp_path / "out")

    assert made.rounding is not None and made.rounding.exits == "kept" and len(made.rounding.notes) == 2
    assert document.policy == artifact.policy.to_json() and document.certificate is None


def test_a_policy_head_keeps_the_exits_that_it_was_trained_for(tmp_path: Path) -> None:
    """Its network was another one, so nothing is fitted; all images judge."""
    torch.manual_seed(0)
    head = PolicyHead("image", ((nn.AdaptiveAvgPool2d(4), Reshape((16,))),), (nn.Linear(16, 8),))
    artifact = replace(
        small.artifact(), snn=run_passes(small.artifact().snn, [AttachPolicy(head, 8)]), policy=PlannedPolicy()
    )
    made = sc.export(artifact, "onnx", tmp_path / "out", NEW[0][:24], precision="int8")

    assert made.rounding is not None and made.verification is not None
    assert (made.rounding.exits, made.rounding.judged_images, made.rounding.accuracy) == ("kept", 24, None)
    assert made.rounding.exits_changed == made.verification.exits_differ == 0
    assert "since its policy head was trained on that network" in made.rounding.notes[0]


def test_an_adopted_network_is_rounded_too(tmp_path: Path) -> None:
    """Its answers after all timesteps stand for labels."""
    options = AdoptOptions(timesteps=4, target=ExitTarget(drop=3.0))
    artifact = adopt(nets.network(nets.SynapticNet), small.dataset(160), options)
    made = sc.export(artifact, "onnx", tmp_path / "out", NEW[0], precision="int8")

    assert made.rounding is not None and made.rounding.exits == "fitted" and made.rounding.accuracy is None


def test_calibration_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"some of these calibrated it; give others \(--data\), or none"):
        sc.export(small.artifact(), "onnx", tmp_path / "out", small.dataset(), precision="int8")


def test_other_targets_and_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not written for pt2; use --to onnx or onnx-loop"):
        sc.export(small.artifact(), "pt2", tmp_path / "out", precision="int8")
    with pytest.raises(InputError, match="precision must be one of float32, int8, got 'int4'"):
        sc.export(small.artifact(), "onnx", tmp_path / "out", precision="int4")  # type: ignore[arg-type]


def test_the_command_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.artifact().save(tmp_path / "net")
    main(["export", str(tmp_path / "net"), "--precision", "int8", "-o", str(tmp_path / "out"), "--limit", "4"])

    assert capsys.readouterr().out.startswith(
        "weights in 8 bits; exits kept\nnote: exit thresholds and temperatures are those of"
    )


def test_a_rounded_network_is_rounded_only_once() -> None:
    once = rounded(small.artifact())
    twice = rounded(once)
    assert isinstance(once.policy, ThresholdPolicy)
    for one, other in zip(once.snn.graph_module.parameters(), twice.snn.graph_module.parameters(), strict=True):
        assert torch.equal(one, other)
