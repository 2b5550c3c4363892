"""Whole networks in ONNX answer as they do in PyTorch, timestep by timestep, and the driver needs nothing of this package."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import small_artifacts as small
import torch
import toys
from torch import nn

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import ArtifactError, ExportError
from seenn_convert.exits.readouts import collect_readouts
from seenn_convert.exporters.document import DOCUMENT, read_document
from seenn_convert.exporters.exporter import check_exportable
from seenn_convert.exporters.onnx.loop import OnnxLoopExporter
from seenn_convert.exporters.onnx.sessions import onnx_network
from seenn_convert.exporters.onnx.split import DRIVER, OnnxExporter
from seenn_convert.ir.operators import Reshape
from seenn_convert.ir.scores import SCORES
from seenn_convert.neurons.types import NEURON_TYPES
from seenn_convert.runtime.early_exit import run_early_exit
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy
from seenn_convert.workflows.convert.options import Options
from seenn_convert.workflows.convert.run import convert

IMAGES = small.draw(40, 5)[0]
SPREAD = tuple(0.9 - 0.1 * t for t in range(8))
"""Thresholds that let images leave at every timestep."""


def with_policy(policy: ThresholdPolicy | FixedPolicy | PlannedPolicy, neuron: str = "signed") -> Artifact:
    """Return the small classifier with another neuron type and exit policy."""
    program = small.model(8, policy, neuron).program
    return replace(small.artifact(), snn=program, policy=policy)


def test_the_step_agrees_for_every_neuron_type_and_score(tmp_path: Path) -> None:
    """Each type with one of the scores: one timestep from our own states, and whole runs."""
    for neuron, score in zip(NEURON_TYPES, SCORES, strict=True):
        artifact = with_policy(ThresholdPolicy(score.name, (0.5,) * 8), neuron)
        readouts = collect_readouts(artifact.model(), [IMAGES])
        thresholds = (0.7,) * 8 if score.name == "patience" else tuple(readouts.scores.median(dim=1).values.tolist())
        artifact = with_policy(ThresholdPolicy(score.name, thresholds), neuron)
        for exporter in (OnnxExporter(), OnnxLoopExporter())[: 1 + (neuron in ("if", "multilevel", "group"))]:
            folder = tmp_path / f"{neuron}-{exporter.name}"
            folder.mkdir()
            check_exportable(exporter, artifact)
            exporter.write(artifact, folder)
            found = exporter.verify(folder, artifact, IMAGES)

            assert (found.answers_differ, found.exits_differ) == (0, 0)
            assert found.largest_error <= 1e-5 and found.images == 40
        steps = run_early_exit(artifact.model(), IMAGES, 40).exit_step
        assert len(steps.unique()) > 1  # the policy has something to decide


@pytest.mark.parametrize("make", [
    toys.residual, toys.depthwise, toys.assembly, toys.signal, toys.position_code, toys.adaptive,
    *(pytest.param(make, marks=pytest.mark.slow) for make in (
        toys.leaky, toys.clipped, toys.standing_batch_norm, toys.perceptron, toys.tokens, toys.relu_on_image,
        toys.two_drives, toys.pool_between_neurons, toys.arithmetic, toys.relu_last,
    )),
], ids=lambda make: make.__name__)  # fmt: skip
def test_toys_agree(make: "type[toys.Toy]", tmp_path: Path) -> None:
    network = make()
    images = torch.randn(24, *network.input_shape, generator=torch.Generator().manual_seed(2))
    artifact = convert(network, images, Options(timesteps=4, calibration="fast", certify=None, front="none"))
    exporter = OnnxExporter()
    check_exportable(exporter, artifact)
    exporter.write(artifact, tmp_path)
    found = exporter.verify(tmp_path, artifact, images)

    assert found.largest_error <= 1e-5
    assert found.answers_differ <= found.flipped_rows


def test_every_node_that_cannot_be_written_is_named() -> None:
    artifact = convert(
        toys.gamma(), torch.randn(40, *toys.IMAGE), Options(timesteps=2, calibration="fast", certify=None)
    )

    with pytest.raises(ExportError, match=r"onnx cannot express 1 node.*\n  \w+: .*lgamma.*; export with --to pt2"):
        check_exportable(OnnxExporter(), artifact)


def test_a_network_in_another_precision_is_refused() -> None:
    halved = replace(small.artifact(), snn=replace(small.artifact().snn))
    halved.snn.graph_module.double()
    try:
        with pytest.raises(ExportError, match="float64; convert the model in single precision"):
            check_exportable(OnnxExporter(), halved)
    finally:
        halved.snn.graph_module.float()


def planned() -> Artifact:
    """Return the small classifier with an untrained policy head, whose plans are spread by hand."""
    from seenn_convert.passes.attach_policy import AttachPolicy, PolicyHead
    from seenn_convert.passes.base import run_passes

    artifact = with_policy(ThresholdPolicy("confidence", SPREAD))
    torch.manual_seed(0)
    head = PolicyHead("image", ((nn.AdaptiveAvgPool2d(4), Reshape((16,))),), (nn.Linear(16, 8),))
    return replace(artifact, snn=run_passes(artifact.snn, [AttachPolicy(head, 8)]), policy=PlannedPolicy())


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    OnnxExporter().write(with_policy(ThresholdPolicy("confidence", SPREAD)).with_classes(["low", "mid", "high"]), folder)
    return folder


def test_the_driver_runs_alone(exported: Path, tmp_path: Path) -> None:
    """In a process that cannot import PyTorch or this package it gives our answers and exit steps."""
    np.savez(tmp_path / "images.npz", x=IMAGES.numpy())
    guard = "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'seenn_convert')))"
    code = f"{guard}; import runpy; sys.argv = ['run', {str(tmp_path / 'images.npz')!r}, '--batch-size', '7']"
    code = f"{code}; runpy.run_path({str(exported / DRIVER)!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    trace = run_early_exit(with_policy(ThresholdPolicy("confidence", SPREAD)).model(), IMAGES, 40)
    rows = [line.split(",") for line in result.stdout.splitlines()]
    assert rows[0] == ["image", "label", "class", "confidence", "timestep"]
    assert [int(row[1]) for row in rows[1:]] == trace.predictions.tolist()
    assert [row[2] for row in rows[1:]] == [("low", "mid", "high")[label] for label in trace.predictions.tolist()]
    assert [int(row[4]) for row in rows[1:]] == trace.exit_step.tolist()
    assert [float(row[3]) for row in rows[1:]] == pytest.approx(trace.confidence.tolist(), abs=1e-4)


@pytest.mark.parametrize("policy", [
    FixedPolicy(3), ThresholdPolicy("margin", SPREAD), ThresholdPolicy("patience", (0.7,) * 8),
], ids=lambda policy: str(policy.to_json()["policy"]))  # fmt: skip
@pytest.mark.parametrize("capacity", [1, 7, 64])
def test_the_driver_leaves_and_refills_as_we_do(policy: FixedPolicy | ThresholdPolicy, capacity: int, tmp_path: Path) -> None:
    from seenn_convert.exporters.onnx.run_seenn import Network

    artifact = with_policy(policy)
    OnnxExporter().write(artifact, tmp_path)
    answers, trace = Network(tmp_path)(IMAGES.numpy(), capacity), run_early_exit(artifact.model(), IMAGES, 40)

    assert answers.exit_step.tolist() == trace.exit_step.tolist()
    assert answers.predictions.tolist() == trace.predictions.tolist()
    np.testing.assert_allclose(answers.logits, trace.logits.numpy(), atol=1e-5)
    np.testing.assert_allclose(answers.score, trace.confidence.numpy(), atol=1e-5)


def test_the_driver_normalises_pixels(tmp_path: Path) -> None:
    from seenn_convert.data.preprocessing import Preprocessing
    from seenn_convert.exporters.onnx.run_seenn import Network

    scale = Preprocessing(mean=(0.4,), std=(0.2,))
    OnnxExporter().write(replace(small.artifact(), preprocessing=scale), tmp_path)
    pixels = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)

    made = Network(tmp_path).prepared(pixels.movedim(1, -1).numpy())
    np.testing.assert_allclose(made, scale.apply(pixels.float() / 255).numpy(), atol=1e-6)


def test_plans_are_followed(tmp_path: Path) -> None:
    from seenn_convert.exporters.onnx.run_seenn import Network

    artifact = planned()
    trace = run_early_exit(artifact.model(), IMAGES, 40)
    for exporter in (OnnxExporter(), OnnxLoopExporter()):
        folder = tmp_path / exporter.name
        folder.mkdir()
        exporter.write(artifact, folder)
        found = exporter.verify(folder, artifact, IMAGES)
        assert (found.answers_differ, found.exits_differ) == (0, 0)
    assert Network(tmp_path / "onnx")(IMAGES.numpy(), 7).exit_step.tolist() == trace.exit_step.tolist()
    assert len(trace.exit_step.unique()) > 1


def test_the_loop_file_is_self_contained(tmp_path: Path) -> None:
    """One image or many, the answers are the same, and the file says what its images need."""
    artifact = with_policy(ThresholdPolicy("confidence", SPREAD))
    OnnxLoopExporter().write(artifact, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    trace = run_early_exit(artifact.model(), IMAGES, 40)

    names = [one.name for one in session.get_outputs()]
    assert names == ["label", "confidence", "exit_step", "logits", "score"]
    for rows in (slice(0, 40), slice(3, 4)):
        found = dict(zip(names, session.run(None, {"image": IMAGES[rows].numpy()}), strict=True))
        assert found["label"].tolist() == trace.predictions[rows].tolist()
        assert found["exit_step"].tolist() == trace.exit_step[rows].tolist()
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["preprocessing"]) == artifact.preprocessing.to_json()


def test_initial_potentials_are_stored_as_they_are(tmp_path: Path) -> None:
    """A start for each channel is not written for each neuron."""
    OnnxExporter().write(small.artifact(), tmp_path)
    with np.load(tmp_path / "starts.npz") as starts:
        assert starts.files and all(starts[name].size <= 5 for name in starts.files)


@pytest.mark.parametrize("damage, message", [
    (lambda folder: (folder / "step.onnx").write_bytes(b"no"), r"step.onnx was changed or truncated \(checksum\)"),
    (lambda folder: (folder / "step.onnx").unlink(), "step.onnx is missing"),
    (lambda folder: (folder / "seenn.json").unlink(), "is not an export"),
    (lambda folder: _edit(folder, timesteps=3), r"changed or damaged \(checksum\)"),
    (lambda folder: _edit(folder, format="other"), "is not the document of an export"),
    (lambda folder: _edit(folder, schema_version=9), "schema version 9"),
    (lambda folder: (folder / "seenn.json").write_text("{"), "not readable as JSON"),
])  # fmt: skip
def test_a_changed_folder_is_refused_in_one_sentence(damage, message: str, tmp_path: Path) -> None:
    OnnxExporter().write(small.artifact(), tmp_path)
    assert onnx_network(tmp_path).timesteps == 8
    damage(tmp_path)

    with pytest.raises(ArtifactError, match=message) as error:
        read_document(tmp_path)
    assert "\n" not in str(error.value)


def _edit(folder: Path, **changes: object) -> None:
    path = folder / DOCUMENT
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
