"""The nodes of a file may lie in any order, as onnxruntime allows; only a circle cannot be read."""

from pathlib import Path

import onnx
import pytest
import torch
from onnx_models import floats, node, write_model

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nodes = [
        node("Identity", "w", outputs=("v",)),
        node("Conv", "x", "v", outputs=("c",)),
        node("Relu", "c", outputs=("r",)),
        node("Add", "r", "c", outputs=("a",)),
        node("Flatten", "a", outputs=("y",)),
    ]
    return write_model(tmp_path, nodes, {"w": floats(4, 3, 3, 3)})


@pytest.mark.parametrize("order", [(4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
def test_any_order_is_the_same_network(path: Path, order: tuple[int, ...]) -> None:
    images = torch.randn(3, 3, 6, 8)
    expected = read_model(path).program(images)
    model = onnx.load(path)
    nodes = [model.graph.node[i] for i in order]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    source = read_model(path)

    assert torch.equal(source.program(images), expected) and source.check(images) <= 1e-5


def test_a_circle_is_refused(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[2].input[0] = "a"
    onnx.save(model, path)
    with pytest.raises(InputError, match="'the_Add_a'.* the nodes form a circle; export the model without a loop"):
        read_model(path)


def test_two_values_of_one_name_are_refused(path: Path) -> None:
    model = onnx.load(path)
    model.graph.node[2].output[0] = "c"
    onnx.save(model, path)
    with pytest.raises(InputError, match="'c' is the name of two values"):
        read_model(path)
