"""Exits fitted again to other images: the network stays, and nothing of exits and certificate is left of the old ones."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch

from seenn_convert.analysis.coverage import call_sites, spiking_share
from seenn_convert.artifact.artifact import Artifact, load_artifact
from seenn_convert.cli.main import main
from seenn_convert.data.dataset import Dataset
from seenn_convert.errors import CalibrationDataError, InputError
from seenn_convert.exits.certificates.certificate import Certify
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exits.thresholds import ExitTarget
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert, recalibrate

CERTIFIED = Options(timesteps=4, calibration="fast", certify=Certify(0.1, 0.1), target=ExitTarget(drop=1.0))


def own(labelled: bool = True) -> Dataset:
    return small.dataset(80, labelled=labelled)


@cache
def exits(labelled: bool = True) -> Dataset:
    return small.dataset(200, seed=9, labelled=labelled)


@cache
def plain() -> Artifact:
    return convert(small.source(), own(), Options(timesteps=4, calibration="fast"))


@cache
def refitted(labelled: bool = True) -> Artifact:
    share = spiking_share(call_sites(plain().ann))  # what the network has may be required of it
    return recalibrate(plain(), options=replace(CERTIFIED, require_spiking=share), exit_data=exits(labelled))


def test_the_network_stays_as_it_is() -> None:
    images = small.draw(20, 3)[0]
    before, after = (collect_readouts(one.model(), [images], keep_logits=True) for one in (plain(), refitted()))
    assert torch.equal(before.logits, after.logits) and not torch.equal(before.scores, after.scores)
    assert plain().provenance.calibration == refitted().provenance.calibration


@pytest.mark.parametrize("labelled", [True, False])
def test_exits_and_certificate_are_those_of_a_conversion_with_these_exit_images(labelled: bool) -> None:
    """Of the calibration images the thresholds remain: their labels play no part."""
    at_once = convert(small.source(), own(labelled), CERTIFIED, exit_data=exits())
    again = refitted()
    assert at_once.certificate == again.certificate is not None and again.certificate.images == 80
    assert at_once.policy.to_json() == again.policy.to_json()
    assert torch.equal(at_once.model().probe.temperatures, again.model().probe.temperatures)
    assert at_once.provenance.validation == again.provenance.validation
    assert at_once.facts.held_out_exits == again.facts.held_out_exits


def test_exit_images_need_no_labels() -> None:
    artifact = refitted(labelled=False)
    conversion = artifact.report.conversion
    assert artifact.certificate is not None and not conversion.calibration.labelled
    assert conversion.calibration.validation.ann_right is None and artifact.facts.ann_confidence.images == 200
    assert any(one.code == "no_labels" and one.text.startswith("the exit images") for one in conversion.warnings)
    with pytest.raises(CalibrationDataError, match="the exit images have no labels"):
        lost = Options(timesteps=4, calibration="fast", certify=Certify(0.1, 0.1, "accuracy"))
        recalibrate(plain(), options=lost, exit_data=exits(labelled=False))


def test_it_comes_back_from_its_folder(tmp_path: Path) -> None:
    refitted().save(tmp_path / "net")
    loaded = load_artifact(tmp_path / "net")
    assert loaded.facts == refitted().facts and loaded.certificate == refitted().certificate
    assert loaded.report.conversion.notes == refitted().report.conversion.notes


def test_what_cannot_be_fitted_again() -> None:
    with pytest.raises(InputError, match="no images are given; give calibration images"):
        recalibrate(plain())
    with pytest.raises(InputError, match="timesteps would change the network, which takes calibration images"):
        recalibrate(plain(), options=Options(timesteps=5, calibration="fast"), exit_data=exits())
    with pytest.raises(InputError, match="the exit images are calibration images"):
        recalibrate(plain(), exit_data=own())
    more = Options(timesteps=4, calibration="fast", require_spiking=0.99)
    with pytest.raises(InputError, match=r"spikes drive .* of this network, 99.0% are required, and exits do not change"):
        recalibrate(plain(), options=more, exit_data=exits())
    with pytest.raises(InputError, match="older name"):
        recalibrate(plain(), exit_data=exits(), validation_data=exits())


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain().save(tmp_path / "net")
    images, labels = small.draw(200, 9)
    np.savez(tmp_path / "new.npz", x=images.numpy(), y=labels.numpy())
    given = ["--exit-data", str(tmp_path / "new.npz")]
    main(["calibrate", str(tmp_path / "net"), *given, "--certify", "0.1,0.1", "-o", str(tmp_path / "out")])
    assert "80 held-out exit images, to which nothing was fitted" in capsys.readouterr().out
    assert load_artifact(tmp_path / "out").certificate.images == 80
    for more, code in (([*given, "--validation-data", given[1]], 2), ([], 1), ([*given, "-T", "5"], 1)):
        with pytest.raises(SystemExit) as stop:
            main(["calibrate", str(tmp_path / "net"), *more])
        assert stop.value.code == code
