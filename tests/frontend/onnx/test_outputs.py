"""An ONNX file with several outputs is read for the one that is named, with what that one depends on and no more."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import floats

from seenn_convert.errors import InputError, UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
from seenn_convert.frontend.onnx.reader import read_onnx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Logits, features before them, and the class, which no spiking network computes."""
    nodes = [
        helper.make_node("Relu", ["x"], ["features"]),
        helper.make_node("MatMul", ["features", "w"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["class"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("features", "logits")]
    outputs.append(helper.make_tensor_value_info("class", TensorProto.INT64, None))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 6])],
        outputs,
        [numpy_helper.from_array(floats(6, 4), "w")],
    )
    found = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), found)
    return found


@pytest.mark.parametrize(("name", "classes"), [("logits", 4), ("features", 6)])
def test_the_named_output_is_read_and_checked(path: Path, name: str, classes: int) -> None:
    source = read_model(path, output_name=name)
    images = torch.randn(3, 6)

    assert source.program(images).shape == (3, classes)
    assert source.check(images) <= 1e-5 and source.output_name == name


def test_other_outputs_are_not_read(path: Path) -> None:
    assert list(dict(read_onnx(path, "features").named_children())) == ["Relu_0"]
    with pytest.raises(UnsupportedOperatorError, match="ArgMax.*ends with its logits"):
        read_onnx(path)


def test_parity_looks_at_the_named_output_alone(path: Path) -> None:
    features = read_onnx(path, "features")
    assert check_against_onnxruntime(path, features, torch.randn(2, 6), output_name="features") <= 1e-6


@pytest.mark.parametrize("kept", [2, 1])
def test_a_choice_that_is_not_clear_lists_the_names(path: Path, kept: int) -> None:
    model = onnx.load(path)
    del model.graph.output[kept:]
    onnx.save(model, path)
    names = "features, logits" if kept == 2 else "features"
    with pytest.raises(InputError, match=f"no output named 'score'; its outputs are: {names}"):
        read_model(path, output_name="score")
    if kept == 2:
        with pytest.raises(InputError, match=r"returns 2 tensors \(features, logits\); name the logits with --output"):
            read_model(path)


def test_what_was_read_keeps_its_output(path: Path) -> None:
    source = read_model(path, output_name="logits")

    assert read_model(source) is source and read_model(source, output_name="logits") is source
    with pytest.raises(InputError, match="read already"):
        read_model(source, output_name="features")
