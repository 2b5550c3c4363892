"""Which output holds the logits is asked for first; then only what that output needs is read."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_models import floats, node, write_model

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A label, and probabilities that another library packs into a list of mappings."""
    nodes = [
        node("MatMul", "x", "a", outputs=("h",)),
        node("Relu", "h", outputs=("r",)),
        node("MatMul", "r", "b", outputs=("l",)),
        node("Softmax", "l", outputs=("p",)),
        node("ArgMax", "p", outputs=("label",), axis=1),
        node("ZipMap", "p", outputs=("y",), domain="ai.onnx.ml"),
    ]
    found = write_model(tmp_path, nodes, {"a": floats(16, 8), "b": floats(8, 3)}, image=(16,))
    model = onnx.load(found)
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    model.graph.output.append(helper.make_tensor_value_info("p", TensorProto.FLOAT, None))
    onnx.save(model, found)
    return found


def test_the_name_is_asked_for_before_anything_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match=r"returns 3 tensors \(y, label, p\); name the logits with --output-name"):
        read_model(path)


def test_only_what_the_named_output_needs_is_read(path: Path) -> None:
    probabilities = read_model(path, output_name="p")

    assert probabilities.program.input_shape == (16,)


def test_a_value_inside_the_network_may_be_named(path: Path) -> None:
    source = read_model(path, output_name="l")
    images = torch.randn(3, 16)
    expected = torch.relu(images @ torch.from_numpy(floats(16, 8))) @ torch.from_numpy(floats(8, 3))

    assert torch.allclose(source.program(images), expected, atol=1e-5) and source.check(images) <= 1e-5


def test_an_unknown_name_lists_the_outputs(path: Path) -> None:
    with pytest.raises(InputError, match="no output named 'score'; its outputs are: y, label, p"):
        read_model(path, output_name="score")
