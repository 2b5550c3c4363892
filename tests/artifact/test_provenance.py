"""Provenance names and hashes what a network was made from."""

import hashlib
from dataclasses import replace
from pathlib import Path

import small_artifacts as small

from seenn_convert.artifact.provenance import model_provenance, reused, used_data
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import DataFacts
from seenn_convert.data.dataset import Dataset
from seenn_convert.frontend.source import Source
from seenn_convert.workflows.convert.options import Options


def test_a_file_is_hashed_and_a_module_is_not(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"abc")
    source = Source(small.ann_program(), "net.pt2", "pt2", tmp_path / "net.pt2")
    assert model_provenance(source) == ModelOrigin(
        name="net.pt2", format="pt2", sha256=hashlib.sha256(b"abc").hexdigest()
    )
    assert model_provenance(Source(small.ann_program(), "Net", "module")).sha256 is None
    assert model_provenance(Source(small.ann_program(), "Net", "module", output_name="a")).output_name == "a"


def test_data_is_named_without_folders_of_the_user() -> None:
    pixels, labels = small.draw(10, 1)
    data = small.as_dataset(pixels, labels, "/home/someone/secret/bars.npz")
    assert used_data(data).facts == DataFacts(name="bars.npz", images=10, fingerprint=data.fingerprint())


def test_a_conversion_records_where_it_comes_from() -> None:
    artifact = small.artifact()
    found = artifact.provenance
    assert vars(used_data(small.dataset())).items() <= vars(found.calibration).items()
    assert found.calibration.thresholds.images == artifact.report.conversion.calibration.fitting_images
    assert found.options == Options(timesteps=8).to_json()
    assert found.policy is None and found.environment == artifact.report.environment


def unlabelled(data: Dataset) -> Dataset:
    return replace(data, source=replace(data.source, labels=None))


def test_images_used_before_are_named_by_their_use() -> None:
    whole, other = small.dataset(40), used_data(small.dataset(40, seed=2))
    known, part = used_data(whole), used_data(whole.take(20))
    for data, among in ((known, ""), (part, "among ")):
        (found,) = reused(known, None, data)
        assert found.code == "calibration_images" and f"these are {among}the calibration images" in found.text
    assert [one.code for one in reused(known, known, part)] == ["calibration_images", "policy_images"]
    assert [one.code for one in reused(None, None, part, known)] == ["validation_images"]
    assert reused(known, None, other) == reused(None, None, known) == []


def test_images_are_known_again_in_any_order_and_with_labels_or_without() -> None:
    whole = small.dataset(40)
    turned = whole.subset(range(39, -1, -1))
    for one, other in ((whole, turned), (whole, unlabelled(whole)), (unlabelled(turned), whole)):
        (found,) = reused(used_data(one), None, used_data(other))
        assert "these are the calibration images" in found.text


def test_images_are_known_again_among_those_that_they_were_drawn_from() -> None:
    """In all of it and in any part that holds some of them; not in a part that holds none, nor in another source."""
    whole = small.dataset(40)
    drawn = whole.take(10, seed=3)
    known = used_data(drawn)
    clean = whole.subset([index for index in range(40) if index not in drawn.indices])
    some = whole.subset([drawn.indices[0], *clean.indices[:4]])
    for data, share in ((unlabelled(whole), "25.00%"), (some, "20.00%")):
        (found,) = reused(known, None, used_data(data))
        assert found.code == "calibration_images" and f"some of these ({share}) are calibration images" in found.text
    for data in (clean, small.dataset(40, seed=2), small.dataset(60)):
        assert reused(known, None, used_data(data)) == []


def test_an_artifact_without_hashes_knows_the_same_data_alone() -> None:
    known = replace(used_data(small.dataset(40)), hashes="")
    assert [one.code for one in reused(known, None, used_data(small.dataset(40)))] == ["calibration_images"]
    assert reused(known, None, used_data(small.dataset(40).take(20))) == []
