"""Programs of ``torch.export`` give the bits of the graphs they were made from, for any number of rows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small_artifacts as small
import torch
import toys

from seenn_convert.errors import ArtifactError, ExportError
from seenn_convert.exporters.exporter import check_exportable
from seenn_convert.exporters.pt2 import Pt2Exporter, pt2_network
from seenn_convert.exporters.targets import exported_network
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import ThresholdPolicy

IMAGES = small.draw(40, 5)[0]


def test_the_programs_agree_to_the_bit(tmp_path: Path) -> None:
    policy = ThresholdPolicy("entropy", tuple(0.9 - 0.1 * t for t in range(8)))
    artifact = replace(small.artifact(), snn=small.model(8, policy, "multilevel").program, policy=policy)
    exporter = Pt2Exporter()
    check_exportable(exporter, artifact)
    exporter.write(artifact, tmp_path)
    found = exporter.verify(tmp_path, artifact, IMAGES)

    assert (found.largest_error, found.answers_differ, found.exits_differ) == (0.0, 0, 0)
    ours, theirs = (run_early_exit(one, IMAGES, 16) for one in (artifact.model(), exported_network(tmp_path)))
    assert torch.equal(ours.logits, theirs.logits) and len(ours.exit_step.unique()) > 1


def test_a_sigmoid_keeps_no_number_of_threads(tmp_path: Path) -> None:
    """Its padding depends on the threads of this process; the program has none, and takes any number of rows."""
    from seenn_convert.workflows.convert.options import Options
    from seenn_convert.workflows.convert.run import convert

    def body(m: toys.Toy, x: torch.Tensor) -> torch.Tensor:
        return m.head((m.conv(x).sigmoid() * x.mean(1, keepdim=True)).flatten(1))

    network = toys.toy(body, conv=toys.conv(), head=torch.nn.Linear(256, 5))
    images = torch.randn(70, *network.input_shape, generator=torch.Generator().manual_seed(2))
    artifact = convert(network, images, Options(timesteps=2, calibration="fast", certify=None))
    exporter = Pt2Exporter()
    exporter.write(artifact, tmp_path)

    exported = pt2_network(tmp_path)
    assert {rows: len(exported.drive(images[:rows])[0]) for rows in (1, 64, 65)} == {1: 1, 64: 64, 65: 65}
    assert exporter.verify(tmp_path, artifact, images).largest_error <= 1e-6


def test_another_targets_folder_is_refused(tmp_path: Path) -> None:
    from seenn_convert.exporters.onnx.split import OnnxExporter

    OnnxExporter().write(small.artifact(), tmp_path)
    with pytest.raises(ExportError, match="is an export to onnx; this needs one to pt2"):
        pt2_network(tmp_path)
    (tmp_path / "seenn.json").write_text(json.dumps({"format": "x"}))
    with pytest.raises(ArtifactError, match="not the document of an export"):
        pt2_network(tmp_path)
