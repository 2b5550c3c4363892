"""A model whose input has its channels last takes image files, and everything that is done to pixels."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx_models import floats, node, write_model
from PIL import Image
from torch import Tensor, nn

import seenn_convert as sc
from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model

pytestmark = pytest.mark.slow  # `make test` runs it, `make check` does not

SIDE, COUNT = 8, 60
FAST = sc.Options(timesteps=4, calibration="fast")
NORMALISE = sc.Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def centred(*shape: int, over: int | tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return weights that answer to contrast, so that both classes come up."""
    values: np.ndarray[Any, Any] = floats(*shape)
    return values - values.mean(axis=over, keepdims=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution behind a transpose, as tf2onnx writes it."""
    nodes = [
        node("Transpose", "x", outputs=("t",), perm=[0, 3, 1, 2]), node("Conv", "t", "w", outputs=("c",)),
        node("Relu", "c", outputs=("r",)), node("Flatten", "r", outputs=("f",)), node("MatMul", "f", "v"),
    ]  # fmt: skip
    constants = {"w": centred(4, 3, 3, 3, over=(1, 2, 3)), "v": centred(4, (SIDE - 2) ** 2, 2, over=1).reshape(-1, 2)}
    return write_model(tmp_path_factory.mktemp("model"), nodes, constants, image=(SIDE, SIDE, 3))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)


def answers(model: Path, images: np.ndarray[Any, Any]) -> list[int]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    found: list[int] = session.run(None, {"x": images.astype(np.float32)})[0].argmax(axis=1).tolist()
    assert set(found) == {0, 1}
    return found


def folder_of(root: Path, pixels: np.ndarray[Any, Any], labels: list[int]) -> Path:
    """Write class folders, with the images in the order of their names."""
    for index, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / str(label) / f"{index:03d}.png")
    return root


def test_an_image_folder_is_read_and_normalised_by_channel(
    model: Path, pixels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    """The labels are onnxruntime's own for pixels normalised by hand: the ANN gets them all right."""
    labels = answers(model, (pixels / 255 - np.array(NORMALISE.mean)) / np.array(NORMALISE.std))
    folder = folder_of(tmp_path / "images", pixels, labels)
    sc.convert(model, folder, FAST, preprocessing=NORMALISE).save(tmp_path / "out")
    artifact = sc.load_artifact(tmp_path / "out")

    assert artifact.preprocessing.layout == "channels_last"
    assert sc.evaluate(artifact, folder).ann_accuracy == 1
    found = sc.predict(artifact, folder)
    assert len(found) == COUNT and found[0].path.endswith(".png")
    assert np.mean([one.class_name == Path(one.path).parent.name for one in found]) > 0.8
    assert any("8 x 8 pixels with 3 channels last" in note for note in artifact.provenance.model.notes)


def test_pixels_in_arrays_are_cropped_and_resized(
    model: Path, pixels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    wide = np.pad(pixels, ((0, 0), (2, 2), (3, 3), (0, 0)))
    np.savez(tmp_path / "wide.npz", x=wide, y=answers(model, pixels / 255))
    artifact = sc.convert(model, tmp_path / "wide.npz", FAST, preprocessing=sc.Preprocessing(crop=SIDE))

    assert sc.evaluate(artifact, tmp_path / "wide.npz").ann_accuracy == 1
    first = np.ascontiguousarray(wide.transpose(0, 3, 1, 2))
    assert sc.predict(artifact, torch.from_numpy(first)) == sc.predict(artifact, wide)


def test_float_images_with_the_channels_first_are_refused_with_the_axes_to_move(
    model: Path, pixels: np.ndarray[Any, Any]
) -> None:
    first = (pixels / 255).transpose(0, 3, 1, 2)
    with pytest.raises(InputError, match=r"give numpy.moveaxis\(x, 1, -1\)$"):
        sc.convert(model, first)
    assert sc.convert(model, np.moveaxis(first, 1, -1), FAST).preprocessing.layout == "channels_last"


def test_float_images_with_the_channels_last_are_refused_by_a_model_that_has_them_first() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
    source = read_model(net, (3, 8, 8))
    with pytest.raises(InputError, match=r"give numpy.moveaxis\(x, -1, 1\)$"):
        sc.convert(source, np.zeros((20, 8, 8, 3), np.float32))


def test_a_data_set_opened_before_the_model_is_laid_out_for_it(
    model: Path, pixels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    labels = answers(model, pixels / 255)
    folder = folder_of(tmp_path / "images", pixels, labels)
    artifact = sc.convert(model, sc.open_dataset(folder, sc.Preprocessing()).take(40), FAST)

    assert artifact.preprocessing.layout == "channels_last"
    assert sc.evaluate(artifact, sc.open_dataset(folder, sc.Preprocessing())).ann_accuracy == 1


def test_a_module_that_moves_the_axes_itself_is_found_out_by_trying(
    pixels: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(144, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(torch.relu(self.conv((x * 2 - 1).permute(0, 3, 1, 2))).flatten(1))
            return out

    folder = folder_of(tmp_path / "images", pixels, [index % 2 for index in range(COUNT)])
    artifact = sc.convert(Last().eval(), folder, FAST)

    assert artifact.snn.input_shape == (SIDE, SIDE, 3)
    assert len(sc.predict(artifact, folder)) == COUNT


@pytest.mark.parametrize(("shape", "layout"), [((SIDE, SIDE), "no_channels"), ((SIDE * SIDE,), "flat")])
def test_grey_images_serve_models_without_an_axis_of_channels(
    tmp_path: Path, shape: tuple[int, ...], layout: str
) -> None:
    """The digits of a perceptron: rows and columns, or all pixels in a row."""
    nodes = [
        node("Flatten", "x", outputs=("f",)), node("MatMul", "f", "v", outputs=("h",)),
        node("Relu", "h", outputs=("r",)), node("MatMul", "r", "w"),
    ]  # fmt: skip
    model = write_model(tmp_path, nodes, {"v": centred(SIDE * SIDE, 16, over=0), "w": centred(16, 2, over=0)}, shape)
    grey = np.random.default_rng(1).integers(0, 256, (COUNT, SIDE, SIDE), dtype=np.uint8)
    labels = answers(model, (grey / 255).reshape(COUNT, *shape))
    folder = folder_of(tmp_path / "images", grey, labels)
    artifact = sc.convert(model, folder, FAST)

    assert artifact.preprocessing.layout == layout
    assert sc.evaluate(artifact, folder).ann_accuracy == 1
    assert sc.evaluate(artifact, folder).examples.easy[0].image.startswith("data:image/png")


@pytest.mark.parametrize("opened", [False, True])
def test_pixels_that_the_file_scales_itself_reach_it_in_its_own_range(
    pixels: np.ndarray[Any, Any], tmp_path: Path, opened: bool
) -> None:
    """A file whose input is bytes, with its channels last; the labels are onnxruntime's."""
    nodes = [
        node("Cast", "x", outputs=("f",), to=onnx.TensorProto.FLOAT), node("Mul", "f", "scale", outputs=("m",)),
        node("Transpose", "m", outputs=("t",), perm=[0, 3, 1, 2]), node("Conv", "t", "w", outputs=("c",)),
        node("Relu", "c", outputs=("r",)), node("Flatten", "r", outputs=("g",)), node("MatMul", "g", "v"),
    ]  # fmt: skip
    constants = {
        "scale": np.array(1 / 255, np.float32), "w": centred(4, 3, 3, 3, over=(1, 2, 3)),
        "v": centred(4, (SIDE - 2) ** 2, 2, over=1).reshape(-1, 2),
    }  # fmt: skip
    path = write_model(tmp_path, nodes, constants, image=(SIDE, SIDE, 3))
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.save(model, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    labels = session.run(None, {"x": pixels})[0].argmax(axis=1).tolist()
    folder = folder_of(tmp_path / "images", pixels, labels)
    artifact = sc.convert(path, sc.open_dataset(folder, sc.Preprocessing()) if opened else folder, FAST)

    assert set(labels) == {0, 1} and sc.evaluate(artifact, folder).ann_accuracy == 1
