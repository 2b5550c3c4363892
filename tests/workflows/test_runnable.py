"""Each backend is made from an artifact by its name, and answers as PyTorch does."""

import copy
from pathlib import Path

import numpy as np
import pytest
import small_artifacts as small
import torch

import seenn_convert as sc
from seenn_convert.cli.main import main
from seenn_convert.errors import ExportError, InputError
from seenn_convert.exporters.onnx.backend import check_cpu
from seenn_convert.runtime.backends import auto, graphs
from seenn_convert.runtime.backends.auto import AutoBackend
from seenn_convert.runtime.backends.cache import VARIABLE
from seenn_convert.workflows.runnable import _check_compiled, backend_of

IMAGES, LABELS = small.draw(40, 5)


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let compiled graphs run as they were traced, so that no compiler is needed."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(graphs.CompiledGraph, "run", lambda graph: lambda *inputs: graph.module(*graph.held, *inputs))


@pytest.mark.parametrize("backend", ["eager", "compiled", "onnxruntime", "auto", None])
@pytest.mark.usefixtures("uncompiled")
def test_all_backends_answer_alike(backend: str | None) -> None:
    ours = sc.predict(small.artifact(), IMAGES)
    network = sc.runnable(small.artifact(), backend)  # type: ignore[arg-type]
    theirs = sc.predict(network, IMAGES)
    assert [(one.label, one.timestep) for one in ours] == [(one.label, one.timestep) for one in theirs]
    assert [one.confidence for one in ours] == pytest.approx([one.confidence for one in theirs], abs=1e-4)
    assert network.backend.name == (backend or "eager") and sc.runnable(network) is network


@pytest.mark.usefixtures("uncompiled")
def test_auto_measures_all_that_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time limits at zero every backend is prepared and measured for real, and the choice is told."""
    monkeypatch.setattr(auto, "WORTH_TRYING", 0.0)
    monkeypatch.setattr(auto, "WORTH_COMPILING", 0.0)
    network = sc.runnable(small.artifact(), "auto")
    sc.predict(network, IMAGES)

    assert isinstance(network.backend, AutoBackend)
    (said,) = network.notes
    assert said.startswith("backend ") and "ms per image and timestep" in said
    assert all(name in said for name in ("eager", "onnxruntime", "compiled")) and "left out" not in said


def test_compiled_code_that_computes_something_else_is_refused() -> None:
    artifact, wrong = small.artifact(), copy.deepcopy(small.artifact().model())
    wrong.step_graph.get_submodule("head").bias += 1
    with pytest.raises(
        ExportError, match=r"compiled network computes something else \(one timestep .* use --backend eager"
    ):
        _check_compiled(artifact, artifact.model(), wrong)
    _check_compiled(artifact, artifact.model(), artifact.model())


def test_onnxruntime_runs_on_the_cpu() -> None:
    with pytest.raises(InputError, match="run on the CPU, not on cuda; leave out --device, or --backend"):
        check_cpu("cuda")
    backend = backend_of(small.artifact(), small.artifact().model(), "onnxruntime")
    assert backend.name == "onnxruntime"


def test_the_commands_take_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.artifact().save(tmp_path / "net")
    np.savez(tmp_path / "test.npz", x=IMAGES.numpy(), y=LABELS.numpy())
    net, file = str(tmp_path / "net"), str(tmp_path / "test.npz")
    main(["predict", net, file, "--format", "csv", "--backend", "auto"])
    auto_said = capsys.readouterr()
    main(["predict", net, file, "--format", "csv"])
    assert auto_said.out == capsys.readouterr().out
    assert auto_said.err.startswith("backend eager: the work takes ") and auto_said.err.count("\n") == 1
    main(["evaluate", net, "--data", file, "--backend", "auto"])
    right = float((sc.run_early_exit(small.artifact().model(), IMAGES, 40).predictions == LABELS).double().mean())
    assert f"40 images: {right:.2%} right" in capsys.readouterr().out
    assert torch.get_num_threads() == 1
