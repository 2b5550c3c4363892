"""Provenance names and hashes what a network was made from."""

import hashlib
from pathlib import Path

import small_artifacts as small

from seenn_convert.artifact.provenance import data_facts, model_provenance, reused
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import DataFacts
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
    assert data_facts(data) == DataFacts(name="bars.npz", images=10, fingerprint=data.fingerprint())


def test_a_conversion_records_where_it_comes_from() -> None:
    artifact = small.artifact()
    found = artifact.provenance
    assert vars(data_facts(small.dataset())).items() <= vars(found.calibration).items()
    assert found.calibration.thresholds.images == artifact.report.conversion.calibration.fitting_images
    assert found.options == Options(timesteps=8).to_json()
    assert found.policy is None and found.environment == artifact.report.environment


def test_images_used_before_are_named_by_their_use() -> None:
    whole, other = small.dataset(40), small.dataset(40, seed=2)
    part = whole.take(20)
    known = data_facts(whole)
    for data, among in ((whole, ""), (part, "among ")):
        found = reused(known, None, data, data.fingerprint())
        assert [one.code for one in found] == ["calibration_images"]
        assert f"these are {among}the calibration images" in found[0].text
    both = reused(known, known, part, part.fingerprint())
    assert [one.code for one in both] == ["calibration_images", "policy_images"]
    assert [one.code for one in reused(None, None, part, part.fingerprint(), known)] == ["validation_images"]
    assert reused(known, None, other, other.fingerprint()) == reused(None, None, whole, known.fingerprint) == []


def test_images_are_known_again_in_the_source_that_they_were_drawn_from() -> None:
    """In all of it and in any part that holds some of them; not in a part that holds none, nor in another source."""
    whole = small.dataset(40)
    known = data_facts(whole.take(10, seed=3))
    used = set(whole.take(10, seed=3).indices)
    clean = whole.subset([index for index in range(40) if index not in used])
    some = whole.subset([next(iter(used)), *clean.indices[:5]])
    for data in (whole, some):
        found = reused(known, None, data, data.fingerprint())
        assert [one.code for one in found] == ["calibration_images"] and "some of these are" in found[0].text
    for data in (clean, small.dataset(40, seed=2), small.dataset(60)):
        assert reused(known, None, data, data.fingerprint()) == []
