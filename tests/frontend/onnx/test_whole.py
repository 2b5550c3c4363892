"""A file that takes whole numbers is read for floats that hold them, as long as nothing computes with them before."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import NodeProto, TensorProto
from onnx_models import Array, floats, node, write_model

from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.workflows.convert.from_file import in_range
from seenn_convert.workflows.convert.inputs import read_inputs

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3)).astype(np.uint8)
WEIGHTS: dict[str, Array] = {"w": floats(4, 3, 3, 3), "scale": np.float32(1 / 255), "zero": np.uint8(7)}
AFTER = [node("Conv", "a", "w", outputs=("c",)), node("Flatten", "c", outputs=("y",))]


def write(folder: Path, nodes: list[NodeProto], kind: int = TensorProto.UINT8) -> Path:
    """Write a file for pixels ``(B, H, W, 3)`` of whole numbers."""
    path = write_model(folder, [*nodes, *AFTER], WEIGHTS, image=(6, 8, 3), opset=17)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = kind
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [
        (TensorProto.UINT8, [
            node("Transpose", "x", outputs=("t",), perm=[0, 3, 1, 2]),
            node("Cast", "t", outputs=("f",), to=TensorProto.FLOAT),
            node("Mul", "f", "scale", outputs=("a",)),
        ]),
        (TensorProto.INT32, [
            node("Cast", "x", outputs=("i",), to=TensorProto.INT64),
            node("Cast", "i", outputs=("f",), to=TensorProto.FLOAT),
            node("Transpose", "f", outputs=("a",), perm=[0, 3, 1, 2]),
        ]),
        (TensorProto.UINT8, [
            node("Transpose", "x", outputs=("t",), perm=[0, 3, 1, 2]),
            node("DequantizeLinear", "t", "scale", "zero", outputs=("a",)),
        ]),
    ],
)  # fmt: skip
def test_it_computes_what_onnxruntime_does_with_the_whole_numbers(
    tmp_path: Path, kind: int, nodes: list[NodeProto]
) -> None:
    path = write(tmp_path, nodes, kind)
    whole = PIXELS.astype(np.uint8 if kind == TensorProto.UINT8 else np.int32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"x": whole})[0]
    source = read_model(path)
    images = torch.from_numpy(PIXELS.astype(np.float32))
    found = source.program(images).numpy()

    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max() and source.check(images) <= 1e-5
    assert source.pixel_range == (0, 255) and "images are floats from 0 to 255" in source.notes[0]


def test_arithmetic_with_whole_numbers_is_refused_with_the_node(tmp_path: Path) -> None:
    nodes = [
        node("Add", "x", "x", outputs=("t",)),
        node("Cast", "t", outputs=("a",), to=TensorProto.FLOAT),
    ]
    with pytest.raises(InputError, match=r"type UINT8, not a float, and node 'the_Add_t' \(Add\) computes with its"):
        read_model(write(tmp_path, nodes))


def test_pixels_reach_the_model_unscaled(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", outputs=("t",), perm=[0, 3, 1, 2]),
        node("Cast", "t", outputs=("a",), to=TensorProto.FLOAT),
    ]
    np.savez(tmp_path / "images.npz", x=PIXELS)
    _, samples = read_inputs(write(tmp_path, nodes), tmp_path / "images.npz")
    images = next(samples.batches(4))[0]

    assert torch.allclose(images, torch.from_numpy(PIXELS.astype(np.float32)), rtol=1e-6)


def test_a_normalisation_of_the_user_stays() -> None:
    own = Preprocessing(mean=(0.5,), std=(0.25,))

    assert in_range(own, (0, 255)) is own and in_range(Preprocessing(), None) == Preprocessing()
    for low, high in ((0.0, 255.0), (-128.0, 127.0)):
        found = in_range(Preprocessing(resize=8), (low, high))
        assert found.resize == 8
        ends = found.apply(torch.tensor([0.0, 1.0]).repeat(8, 4)[None, None])
        assert torch.allclose(ends[0, 0, 0, :2], torch.tensor([low, high]), atol=1e-4)
