"""Rows of numbers, signals, series and volumes go through every command, in files and from memory."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx_models import floats, node, write_model
from torch import nn

import seenn_convert as sc
from seenn_convert.cli.main import main
from seenn_convert.errors import InputError

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

FAST = ("-T", "4", "--calibration", "fast")
SHAPES = [(13,), (24, 1), (1, 16), (6, 5), (1, 3, 4, 4)]
OTHER_SHAPES = [
    ((13,), (13, 1, 1), "give x.reshape(len(x), 13)"),
    ((24, 1), (24,), "give x.reshape(len(x), 24, 1)"),
    ((6, 5), (5, 6), "give numpy.moveaxis(x, 1, -1)"),
    ((1, 3, 4, 4), (3, 4, 4), "give x.reshape(len(x), 1, 3, 4, 4)"),
    ((13,), (12,), "give x of shape (N, 13)"),
]


def run(*words: object) -> int:
    try:
        main([str(word) for word in words])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def model_of(folder: Path, shape: tuple[int, ...]) -> Path:
    """Write a perceptron of three classes for samples of this shape."""
    nodes = [
        node("Flatten", "x", outputs=("f",)), node("MatMul", "f", "v", outputs=("h",)),
        node("Relu", "h", outputs=("r",)), node("MatMul", "r", "w"),
    ]  # fmt: skip
    return write_model(folder, nodes, {"v": floats(int(np.prod(shape)), 16), "w": floats(16, 3)}, image=shape)


def answers(model: Path, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    found: np.ndarray[Any, Any] = session.run(None, {"x": x})[0].argmax(axis=1)
    return found


@pytest.mark.parametrize("shape", [(13,), (1, 3, 4, 4)], ids=str)
def test_every_command_takes_an_npz_of_the_models_own_shape(
    tmp_path: Path, shape: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    model, x = model_of(tmp_path, shape), np.random.default_rng(1).normal(size=(120, *shape)).astype(np.float32)
    y = answers(model, x)
    data, artifact, table = tmp_path / "data.npz", tmp_path / "out", tmp_path / "table.csv"
    np.savez(data, x=x, y=y)

    assert run("convert", model, "--calibration-data", data, "-o", artifact, *FAST) == 0
    assert run("calibrate", artifact, "--data", data, "-o", artifact, *FAST) == 0
    assert run("attach-policy", artifact, "--data", data, "-o", artifact, "--epochs", "2") == 0
    assert run("compare", artifact, "--calibration-data", data, "--data", data) == 0
    assert run("evaluate", artifact, "--data", data) == 0
    assert run("predict", artifact, data, "-o", table) == 0
    assert sc.evaluate(sc.load_artifact(artifact), data).ann_accuracy == 1  # onnxruntime gave the labels
    rows = list(csv.DictReader(table.open()))
    assert [row["path"] for row in rows] == [str(index) for index in range(120)]
    assert np.mean([int(row["label"]) for row in rows] == y) > 0.8
    assert "data:image/png" not in (artifact / "report.html").read_text()


@pytest.mark.parametrize(("shape", "other", "advice"), OTHER_SHAPES, ids=str)
def test_another_shape_is_refused_with_what_makes_it_right(
    tmp_path: Path, shape: tuple[int, ...], other: tuple[int, ...], advice: str
) -> None:
    model, x = model_of(tmp_path, shape), np.zeros((8, *other), np.float32)
    np.savez(tmp_path / "data.npz", x=x)
    for given in (tmp_path / "data.npz", x, torch.from_numpy(x)):
        with pytest.raises(InputError) as caught:
            sc.convert(model, given)
        tensors = isinstance(given, torch.Tensor)
        assert str(caught.value).endswith(advice.replace("numpy.moveaxis(x, ", "x.movedim(") if tensors else advice)


def test_the_advice_makes_it_right(tmp_path: Path) -> None:
    for shape, other, advice in OTHER_SHAPES[:-1]:
        x = np.random.default_rng(0).normal(size=(40, *other))
        moved = eval(advice.removeprefix("give "), {"x": x, "len": len, "numpy": np})
        artifact = sc.convert(model_of(tmp_path, shape), moved, sc.Options(timesteps=2, calibration="fast"))
        assert artifact.snn.input_shape == shape


@pytest.mark.parametrize("kind", ["int64", "int16", "bool", "float64", "float16"])
def test_other_types_of_number_are_taken_for_what_they_are(tmp_path: Path, kind: str) -> None:
    x = np.random.default_rng(2).integers(0, 2, (60, 13)).astype(kind)
    model = model_of(tmp_path, (13,))
    artifact = sc.convert(model, x, sc.Options(timesteps=2, calibration="fast"))

    assert sc.evaluate(artifact, (x, answers(model, x.astype(np.float32)))).ann_accuracy == 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bytes_are_pixels_and_are_divided_by_255(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).integers(0, 256, (60, *shape), np.uint8)
    model = model_of(tmp_path, shape)
    np.savez(tmp_path / "x.npz", x=x, y=answers(model, (x / np.float32(255)).astype(np.float32)))
    artifact = sc.convert(model, tmp_path / "x.npz", sc.Options(timesteps=2, calibration="fast"))

    assert sc.evaluate(artifact, tmp_path / "x.npz").ann_accuracy == 1
    assert [one.label for one in sc.predict(artifact, x)] == [one.label for one in sc.predict(artifact, x / 255)]


def test_a_dataset_and_a_loader_of_vectors_serve_as_well() -> None:
    net = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3)).eval()
    x, y = torch.randn(60, 13), torch.randint(3, (60,))
    pairs = torch.utils.data.TensorDataset(x, y)
    options = sc.Options(timesteps=2, calibration="fast")
    for given in (pairs, torch.utils.data.DataLoader(pairs, batch_size=8), (x, y)):
        assert sc.convert(net, given, options).snn.input_shape == (13,)
