"""A file that leaves height and width open is read for the shape that the user gives, or else for that of the data."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx_models import floats

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model
from seenn_convert.workflows.convert.from_file import sizes_of_data
from seenn_convert.workflows.convert.inputs import read_inputs

Shape = list[int | str | None]


def write(path: Path, shape: Shape) -> Path:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(floats(4, 3, 3, 3), "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("shape", [["n", 3, "h", "w"], [1, 3, None, None], ["n", "c", "h", "w"], [None, 3, 12, -1]])
def test_the_given_shape_settles_it(tmp_path: Path, shape: Shape) -> None:
    source = read_model(write(tmp_path / "net.onnx", shape), (3, 12, 10))

    assert source.program.input_shape == (3, 12, 10) and source.check(torch.rand(3, 3, 12, 10)) <= 1e-5


def test_the_data_settles_it(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx", ["n", 3, "h", "w"])
    np.savez(tmp_path / "images.npz", x=np.random.default_rng(0).random((8, 3, 12, 10), np.float32))
    source, samples = read_inputs(path, tmp_path / "images.npz")

    assert source.program.input_shape == tuple(samples.image_shape) == (3, 12, 10)


def test_channels_that_lie_last_stay_last() -> None:
    assert sizes_of_data((None, None, 3), (3, 12, 10)) == (12, 10, 3)
    assert sizes_of_data((3, None, None), (3, 12, 10)) == (3, 12, 10)


def test_without_a_shape_the_message_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(n, 3, h, w\), which leaves sizes .* open; give them with --input-shape"):
        read_model(write(tmp_path / "net.onnx", ["n", 3, "h", "w"]))


@pytest.mark.parametrize("given", [(1, 12, 10), (3, 12), (3, 9, 10)])
def test_a_shape_that_contradicts_the_file_is_refused_with_both(tmp_path: Path, given: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        read_model(write(tmp_path / "net.onnx", ["n", 3, 12, "w"]), given)

    assert "(n, 3, 12, w)" in str(caught.value) and str(given) in str(caught.value)


def test_a_pt2_file_is_exported_again_for_the_given_shape(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    sizes = {0: torch.export.Dim("n"), 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    exported = torch.export.export(
        torch.nn.Sequential(*layers).eval(), (torch.zeros(2, 3, 16, 16),), dynamic_shapes=(sizes,)
    )
    torch.export.save(exported, tmp_path / "net.pt2")
    source = read_model(tmp_path / "net.pt2", (3, 12, 10))

    assert source.program.input_shape == (3, 12, 10) and source.check(torch.rand(3, 3, 12, 10)) <= 1e-5
    with pytest.raises(InputError, match="leaves sizes of an image open; give them with --input-shape"):
        read_model(tmp_path / "net.pt2")
    with pytest.raises(InputError, match=r"images of shape \(1, 12, 10\) do not fit it"):
        read_model(tmp_path / "net.pt2", (1, 12, 10))
