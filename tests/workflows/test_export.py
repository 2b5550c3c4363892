"""Exporting: what is written is run at once, nothing is left of an export that failed, and folders are used like artifacts."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch
from torch import Tensor

import seenn_convert as sc
from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.files import read_json
from seenn_convert.cli.main import main
from seenn_convert.errors import ExportError, InputError
from seenn_convert.exporters.exporter import Refusal, Verification
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.onnx.split import OnnxExporter

IMAGES, LABELS = small.draw(40, 5)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "net"
    small.artifact().save(folder)
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "onnx"
    sc.export(small.artifact(), "onnx", folder, IMAGES)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = 0
    try:
        main([*map(str, arguments)])
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, *capsys.readouterr()  # type: ignore[return-value]


def test_what_was_run_is_kept_with_it(exported: Path) -> None:
    found = read_json(exported / "verification.json")
    assert (found["images"], found["made_up"], found["answers_differ"], found["exits_differ"]) == (40, False, 0, 0)
    assert {path.name for path in exported.iterdir()} >= {"stem.onnx", "step.onnx", "seenn.json", "run_seenn.py"}


def test_without_images_some_are_made_up(tmp_path: Path) -> None:
    made = sc.export(small.artifact(), output=tmp_path / "out", images=5)
    assert made.verification is not None and made.verification.made_up and made.verification.images == 5


def test_unverified_is_said(tmp_path: Path) -> None:
    assert sc.export(small.artifact(), output=tmp_path / "out", verify=False).verification is None
    assert not (tmp_path / "out" / "verification.json").exists()


@dataclass(frozen=True)
class Wrong(OnnxExporter):
    """An exporter whose files compute something else."""

    def write(self, artifact: Artifact, folder: Path) -> None:
        changed = artifact.snn.graph_module.get_submodule("head")
        assert isinstance(changed.bias, Tensor)
        changed.bias.data += 0.01
        try:
            super().write(artifact, folder)
        finally:
            changed.bias.data -= 0.01


def test_an_export_that_computes_something_else_is_not_kept(tmp_path: Path) -> None:
    """The error names what differs first; the folder of before stays."""
    before = sc.export(small.artifact(), output=tmp_path / "out", images=5).folder
    content = (before / "step.onnx").read_bytes()
    with pytest.raises(ExportError, match="logits by 0.0.* no neuron is on the edge of firing"):
        sc.export(small.artifact(), Wrong(), tmp_path / "out")
    assert (before / "step.onnx").read_bytes() == content and [one.name for one in tmp_path.iterdir()] == ["out"]


@dataclass(frozen=True)
class Narrow:
    """An exporter of a user's own that can express nothing."""

    name: str = "narrow"

    def refusals(self, artifact: Artifact) -> list[Refusal]:
        return [Refusal("conv1", "it has weights", "leave them out"), Refusal("head", "it has, too", "leave it out")]

    def write(self, artifact: Artifact, folder: Path) -> None:
        raise AssertionError

    def verify(self, folder: Path, artifact: Artifact, images: Tensor) -> Verification:
        raise AssertionError


def test_all_refusals_are_listed_together(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as error:
        sc.export(small.artifact(), Narrow(), tmp_path / "out")
    assert str(error.value).splitlines() == [
        "narrow cannot express 2 nodes of the network:",
        "  conv1: it has weights; leave them out",
        "  head: it has, too; leave it out",
    ]
    assert not (tmp_path / "out").exists()


def test_an_unknown_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no export target 'tflite'; use onnx, onnx-loop, pt2"):
        sc.export(small.artifact(), "tflite", tmp_path / "out")  # type: ignore[arg-type]


def test_an_artifact_is_not_overwritten(saved: Path) -> None:
    with pytest.raises(InputError, match=r"it has no seenn.json\), so it is not replaced"):
        sc.export(saved, output=saved)


@pytest.mark.parametrize("shape, layout", [
    ((3, 8, 6), "channels_first"), ((8, 6, 3), "channels_last"), ((8, 6), "no_channels"), ((48,), "flat"), ((2, 3, 4, 5), "channels_first"),
])  # fmt: skip
def test_made_up_images_have_the_shape_of_the_input(shape: tuple[int, ...], layout: str) -> None:
    made = made_up_images(shape, sc.Preprocessing(mean=(0.5,), std=(0.2,), layout=layout), 3)  # type: ignore[arg-type]
    assert tuple(made.shape) == (3, *shape) and bool(made.isfinite().all())


def test_predictions_of_an_export_are_those_of_the_artifact(exported: Path) -> None:
    ours, theirs = sc.predict(small.artifact(), IMAGES), sc.predict(exported, IMAGES)
    same = sc.predict(small.artifact(), IMAGES[:5], backend="onnxruntime")

    assert [(one.label, one.timestep) for one in ours] == [(one.label, one.timestep) for one in theirs]
    assert [one.confidence for one in ours] == pytest.approx([one.confidence for one in theirs], abs=1e-4)
    assert [one.label for one in same] == [one.label for one in ours[:5]]


def test_an_export_is_evaluated_by_its_answers(exported: Path) -> None:
    found = sc.evaluate_exported(exported, (IMAGES, LABELS))
    trace = sc.run_early_exit(small.artifact().model(), IMAGES, 40)

    assert found.early_exit.accuracy == float((trace.predictions == LABELS).double().mean())
    assert found.early_exit.average_timesteps == trace.average_timesteps
    assert sum(found.early_exit.exit_counts.values()) == found.images == 40


def test_a_backend_that_does_not_run_the_export_is_refused(exported: Path) -> None:
    with pytest.raises(InputError, match="is an export to onnx, which eager does not run; leave out --backend"):
        sc.predict(exported, IMAGES, backend="eager")


def test_the_command_says_what_came_out(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "export", saved, "--to", "onnx-loop", "-o", tmp_path / "out", "--limit", 8)

    assert (code, err) == (0, "")
    assert "on 8 made-up inputs (give images with --data)" in out and "answers that differ: 0" in out
    assert out.endswith(f"wrote {tmp_path / 'out'}\n")


def test_the_commands_take_an_export(
    saved: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "images.npz"
    pixels = (IMAGES.clamp(0, 1) * 255).to(torch.uint8)
    np.savez(file, x=pixels.numpy(), y=LABELS.numpy())
    assert run(capsys, "predict", exported, file, "--format", "csv")[1].count("\n") == 41
    code, out, err = run(capsys, "evaluate", exported, "--data", file)
    assert (code, err) == (0, "") and "40 images" in out and "of 8 timesteps on average" in out
    code, out, err = run(capsys, "evaluate", saved, "--data", file, "--backend", "onnxruntime", "--json")
    assert code == 0 and '"images": 40' in out
    code, out, err = run(capsys, "evaluate", exported, "--data", file, "--against", "x.onnx")
    assert code == 1 and "an export is evaluated alone" in err


def test_the_function_is_found_behind_the_old_module_of_its_name(tmp_path: Path) -> None:
    """Who imports ``seenn_convert.export.artifact``, as it was called once, can export all the same."""
    importlib.import_module("seenn_convert.export")
    assert sc.export(small.artifact(), output=tmp_path / "out", images=2).verification is not None
