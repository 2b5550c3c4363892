"""Half-precision files are read in float32, which holds each of their numbers, and say so."""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from seenn_convert.frontend.load import read_model

KINDS = {
    "float16": (TensorProto.FLOAT16, np.dtype(np.float16)),
    "bfloat16": (TensorProto.BFLOAT16, np.dtype(ml_dtypes.bfloat16)),
}
IMAGES = torch.from_numpy(np.random.default_rng(1).random((3, 1, 8, 8), np.float32))


def write(path: Path, kind: str, form: str) -> dict[str, np.ndarray]:
    """Write a network that computes in half precision everywhere, between casts, or in its convolution alone."""
    code, dtype = KINDS[kind]
    random = np.random.default_rng(0)
    weights = {
        "w": random.normal(size=(4, 1, 3, 3)).astype(dtype),
        "g": random.normal(size=(10, 144)).astype(dtype),
    }
    outside = code if form == "all" else TensorProto.FLOAT
    begin = (
        helper.make_node("Identity", ["x"], ["a"]) if form == "all" else helper.make_node("Cast", ["x"], ["a"], to=code)
    )
    inner = [helper.make_node("Conv", ["a", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r"])]
    if form == "mixed":
        inner += [helper.make_node("Cast", ["r"], ["s"], to=TensorProto.FLOAT)]
        weights["g"] = weights["g"].astype(np.float32)
    inner += [
        helper.make_node("Flatten", ["s" if form == "mixed" else "r"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["b"], transB=1),
    ]
    end = helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT)
    graph = helper.make_graph(
        [begin, *inner, end],
        "graph",
        [helper.make_tensor_value_info("x", outside, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return weights


@pytest.mark.parametrize("form", ["all", "casts", "mixed"])
@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_read_in_single_precision(tmp_path: Path, kind: str, form: str) -> None:
    weights = write(tmp_path / "net.onnx", kind, form)
    source = read_model(tmp_path / "net.onnx")
    kernel, matrix = (torch.from_numpy(weights[name].astype(np.float32)) for name in "wg")
    expected = torch.relu(torch.nn.functional.conv2d(IMAGES, kernel)).flatten(1) @ matrix.T

    assert source.program.input_dtype == torch.float32
    assert torch.allclose(source.program(IMAGES), expected, rtol=1e-5, atol=1e-5)
    assert source.check(IMAGES) <= 1e-5  # onnxruntime runs the float32 copy, so nothing is allowed for rounding
    assert source.notes == (f"the file computes in {kind}; it was read in float32, which holds all of its numbers",)


def test_close_to_the_file_itself(tmp_path: Path) -> None:
    """What the float32 copy leaves out is the rounding between the nodes, about 2**-11 of a number."""
    write(tmp_path / "net.onnx", "float16", "casts")
    expected = onnxruntime.InferenceSession(str(tmp_path / "net.onnx")).run(None, {"x": IMAGES.numpy()})[0]
    found = read_model(tmp_path / "net.onnx").program(IMAGES).numpy()

    assert np.abs(found - expected).max() <= 4 * 2**-11 * np.abs(expected).max()
