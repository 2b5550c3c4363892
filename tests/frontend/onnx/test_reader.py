"""An ONNX file becomes a network with one submodule per node, or one clear error that lists every reason."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from seenn_convert.errors import InputError, PostconditionError, UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
from seenn_convert.frontend.onnx.reader import OnnxNetwork, read_onnx

IMAGE = (3, 16, 16)


class Residual(nn.Module):
    """A small network with what classifiers are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.head = nn.Linear(64, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem(image), 3, 2, 1)
        y = self.body(x)
        x = F.relu(torch.cat([x + y * self.gate(y), x[:, ::2]], dim=1))
        left, right = x.view(x.shape[0], 2, 6, 8, 8).transpose(1, 2).flatten(1, 2).chunk(2, 1)
        x = F.avg_pool2d(F.pad(left + right, (0, 1, 1, 0)), 2, ceil_mode=True)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear")[:, :4, :8, 1:9].mean(3, keepdim=True)
        return self.head(F.dropout(x, 0.5, self.training).expand(-1, -1, -1, 2).reshape(x.shape[0], -1))


def residual() -> Residual:
    torch.manual_seed(0)
    network = Residual().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def export(network: nn.Module, path: Path, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.randn(2 if "dynamic_axes" in options else 1, *IMAGE),), path, **options)
    return path


def chain(path: Path, *op_types: str, shape: tuple[int | str, ...] = ("batch", *IMAGE), **options: Any) -> Path:
    """Write a chain of operators without attributes or weights; ``options`` go to the helper that makes the model."""
    names = ["x", *(f"v{i}" for i in range(1, len(op_types))), "y"]
    nodes = [helper.make_node(op_type, [a], [b]) for op_type, a, b in zip(op_types, names[:-1], names[1:], strict=True)]
    elem_type = options.pop("elem_type", TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, elem_type, shape) for name in options.pop("inputs", ["x"])],
        [helper.make_tensor_value_info("y", elem_type, None)],
    )
    options.setdefault("opset_imports", [helper.make_opsetid("", 20)])
    onnx.save(helper.make_model(graph, ir_version=10, **options), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, 20])
def test_current_exporter_with_an_open_batch(tmp_path: Path, opset: int) -> None:
    model = residual()
    dynamic = ({0: torch.export.Dim("batch", min=2)},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (torch.randn(2, *IMAGE),), dynamic_shapes=dynamic)
        path = tmp_path / "model.onnx"
        torch.onnx.export(program, (), path, dynamo=True, opset_version=opset, verbose=False)
    check_read_back(model, path)


@pytest.mark.slow
def test_current_exporter_with_a_fixed_batch(tmp_path: Path) -> None:
    model = residual()
    check_read_back(model, export(model, tmp_path / "model.onnx", dynamo=True, opset_version=20, verbose=False))


@pytest.mark.parametrize("dynamic_axes", [{}, {"dynamic_axes": {"x": {0: "batch"}}, "input_names": ["x"]}])
@pytest.mark.parametrize("opset", [9, 13])
def test_old_exporter(tmp_path: Path, opset: int, dynamic_axes: dict[str, Any]) -> None:
    model = residual()
    options = {"dynamo": False, "opset_version": opset, **dynamic_axes}
    if opset == 9:  # has no bilinear resize with half-pixel coordinates and no Hardsigmoid of its own
        model = model.stem
    check_read_back(model, export(model, tmp_path / "model.onnx", **options))


def check_read_back(model: nn.Module, path: Path) -> None:
    """The file gives the numbers of the model, for several batch sizes, before and after torch.export."""
    network = read_onnx(path)
    images = torch.randn(3, *IMAGE)
    check_against_onnxruntime(path, network, images)
    torch.testing.assert_close(network(images), model(images), rtol=1e-4, atol=1e-5)
    dynamic = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(network, (images,), dynamic_shapes=dynamic, strict=False).module()
    images = torch.randn(5, *IMAGE)
    torch.testing.assert_close(exported(images), model(images), rtol=1e-4, atol=1e-5)


def test_describes_its_input_and_names_submodules_after_nodes(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Relu", "Sigmoid", "Relu")
    model = onnx.load(path)
    for node, name in zip(model.graph.node, ["/a.b/Relu", "forward", "/a/b/Relu"], strict=True):
        node.name = name
    onnx.save(model, path)
    network = read_onnx(path)

    assert (network.input_name, network.input_shape, network.input_dtype) == ("x", IMAGE, torch.float32)
    assert network.output_names == ("y",)
    assert [name for name, _ in network.named_children()] == ["a_b_Relu", "forward_1", "a_b_Relu_1"]
    assert not network.training


def test_each_exported_call_says_which_node_it_comes_from(tmp_path: Path) -> None:
    network = read_onnx(chain(tmp_path / "model.onnx", "Relu", "GlobalAveragePool", "Flatten"))
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.randn(2, *IMAGE),), dynamic_shapes=dynamic, strict=False)
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    origins = {str(node.target): [path for path, _ in node.meta["nn_module_stack"].values()][-1] for node in calls}

    assert origins == {
        "aten.relu.default": "Relu_0",
        "aten.adaptive_avg_pool2d.default": "GlobalAveragePool_0",
        "aten.flatten.using_ints": "Flatten_0",
    }


def test_several_outputs_come_as_a_tuple_and_dead_nodes_are_left_out(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Relu", "Sigmoid")
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("v1", TensorProto.FLOAT, None))
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["unused"]))
    onnx.save(model, path)
    network = read_onnx(path)

    assert network.output_names == ("y", "v1")
    assert [tuple(output.shape) for output in network(torch.randn(2, *IMAGE))] == [(2, *IMAGE)] * 2
    assert check_against_onnxruntime(path, network, torch.randn(2, *IMAGE)) < 1e-6


def test_weights_have_no_gradient_and_one_may_serve_several_nodes(tmp_path: Path) -> None:
    shared = nn.Conv2d(3, 3, 3, padding=1)
    model = nn.Sequential(shared, nn.ReLU(), shared).eval()
    network = read_onnx(export(model, tmp_path / "model.onnx", dynamo=False, opset_version=13))

    assert not any(parameter.requires_grad for parameter in network.parameters())
    torch.testing.assert_close(network(torch.ones(2, *IMAGE)), model(torch.ones(2, *IMAGE)))


def external(path: Path) -> Path:
    weight = numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *IMAGE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_external_data_is_found_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = external(tmp_path / "model.onnx")
    monkeypatch.chdir("/")

    assert check_against_onnxruntime(path, read_onnx(path), torch.randn(2, *IMAGE)) < 1e-5


def missing(folder: Path) -> Path:
    return folder / "model.onnx"


def truncated(folder: Path) -> Path:
    path = export(residual(), folder / "model.onnx", dynamo=False, opset_version=13)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def empty(folder: Path) -> Path:
    (folder / "model.onnx").write_bytes(b"")
    return folder / "model.onnx"


def without_its_external_data(folder: Path) -> Path:
    path = external(folder / "model.onnx")
    (folder / "weights.bin").unlink()
    return path


def with_cut_external_data(folder: Path) -> Path:
    path = external(folder / "model.onnx")
    (folder / "weights.bin").write_bytes(b"1234567")
    return path


def with_two_inputs(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Relu", inputs=["x", "mask"])


def with_whole_numbers(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Relu", elem_type=TensorProto.INT64)


def with_open_height(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Relu", shape=("batch", 3, "height", 16))


def with_old_opset(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Relu", opset_imports=[helper.make_opsetid("", 6)])


def with_batch_last(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Transpose")


def with_dangling_input(folder: Path) -> Path:
    path = chain(folder / "model.onnx", "Relu", "Relu")
    model = onnx.load(path)
    model.graph.node[0].output[0] = "elsewhere"
    model.graph.node[1].input[0] = "nowhere"
    onnx.save(model, path)
    return path


def with_constant_output(folder: Path) -> Path:
    return chain(folder / "model.onnx", "Shape", elem_type=TensorProto.FLOAT)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (missing, "no such file; give the path"),
        (truncated, "not readable as an ONNX model"),
        (empty, "holds no ONNX graph"),
        (without_its_external_data, "apart from its external data"),
        (with_cut_external_data, "External data"),
        (with_two_inputs, "must have one input, the image, but has 2 (x, mask)"),
        (with_whole_numbers, "input 'x' has type INT64, not a float"),
        (with_open_height, "shape (batch, 3, height, 16)"),
        (with_old_opset, "has opset 6, supported are 7 to"),
        (with_batch_last, "its first dimension is not the batch"),
        (with_dangling_input, "nothing gives node 'Relu' its input 'nowhere'"),
        (with_constant_output, "does not depend on the image"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, make: Callable[[Path], Path], expected: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        read_onnx(path)
    message = str(caught.value)

    assert expected in message and str(path) in message and "\n" not in message


def test_every_unsupported_operator_is_listed_at_once(tmp_path: Path) -> None:
    """Also options after an operator of unknown outcome, and operators after a custom one."""
    path = chain(tmp_path / "model.onnx", "Relu", "Hardmax", "LpPool", "Relu", "Det", "Softmax")
    model = onnx.load(path)
    model.graph.node[-1].attribute.append(helper.make_attribute("axis", 0))
    model.graph.node[1].name = "custom"
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, path)
    with pytest.raises(UnsupportedOperatorError) as caught:
        read_onnx(path)

    starts = [problem.split(":")[0] for problem in caught.value.problems]
    assert starts[0] == "node 'custom' (Hardmax, opset 20)"
    assert starts[1:3] == ["node 'LpPool_0' (LpPool, opset 20)", "node 'Det_0' (Det, opset 20)"]
    assert all(";" in problem for problem in caught.value.problems)


def test_an_option_after_an_unsupported_operator_is_checked(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Hardmax", "Relu", "LRN")
    model = onnx.load(path)
    model.graph.node[-1].attribute.append(helper.make_attribute("size", 2))
    onnx.save(model, path)
    with pytest.raises(UnsupportedOperatorError) as caught:
        read_onnx(path)

    assert ["Hardmax" in caught.value.problems[0], "size 2 is even" in caught.value.problems[1]] == [True, True]


def test_control_flow_is_refused(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"])], "branch", [], [helper.make_tensor_value_info("r", 1, None)]
    )
    graph = helper.make_graph(
        [helper.make_node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *IMAGE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(True), "flag")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    with pytest.raises(UnsupportedOperatorError, match="control flow"):
        read_onnx(path)


def test_functions_of_the_file_are_inlined(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Neg", ["b"], ["c"])]
    path = chain(tmp_path / "model.onnx", "Twice", opset_imports=opsets)
    model = onnx.load(path)
    model.graph.node[0].domain = "local"
    model.functions.append(helper.make_function("local", "Twice", ["a"], ["c"], body, opsets[:1]))
    onnx.save(model, path)
    network = read_onnx(path)

    assert len(network.steps) == 2
    assert check_against_onnxruntime(path, network, torch.randn(2, *IMAGE)) == 0


@pytest.mark.parametrize("batch", ["batch", 1, 2])
def test_parity_runs_any_number_of_images(tmp_path: Path, batch: int | str) -> None:
    path = chain(tmp_path / "model.onnx", "Relu", "GlobalMaxPool", shape=(batch, *IMAGE))

    assert check_against_onnxruntime(path, read_onnx(path), torch.randn(5, *IMAGE)) == 0


def test_parity_names_the_first_node_that_differs(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Abs", "Tanh", "Neg")
    network: OnnxNetwork = read_onnx(path)
    network.Tanh_0 = nn.Sigmoid()
    with pytest.raises(PostconditionError, match=r"above the tolerance 0.0001; the first node .* is 'Tanh_0'"):
        check_against_onnxruntime(path, network, torch.randn(3, *IMAGE))
    with pytest.raises(PostconditionError, match="differs from onnxruntime by 2"):
        check_against_onnxruntime(path, lambda images: torch.tanh(images.abs()), torch.randn(3, *IMAGE))


def test_parity_beside_a_masked_class(tmp_path: Path) -> None:
    """``-1e9`` in one column is no scale for the others."""
    path = chain(tmp_path / "model.onnx", "GlobalMaxPool", "Flatten")
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "free"
    model.graph.node.append(helper.make_node("Add", ["free", "mask"], ["y"]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32([0, 0, -1e9]), "mask"))
    onnx.save(model, path)
    network = read_onnx(path)
    images = torch.randn(3, *IMAGE)
    assert check_against_onnxruntime(path, network, images) <= 1e-6
    with pytest.raises(PostconditionError, match="differs from onnxruntime by"):
        check_against_onnxruntime(path, lambda images: network(images) * torch.tensor([1.0, 1.01, 1.0]), images)


def test_parity_on_a_file_that_onnxruntime_cannot_load(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Nothing")
    with pytest.raises(InputError, match="onnxruntime cannot load it"):
        check_against_onnxruntime(path, torch.relu, torch.randn(1, *IMAGE))


def test_parity_on_images_of_another_shape(tmp_path: Path) -> None:
    path = chain(tmp_path / "model.onnx", "Relu")
    with pytest.raises(InputError, match=r"cannot run it on images \(2, 3, 4, 4\)"):
        check_against_onnxruntime(path, torch.relu, torch.randn(2, 3, 4, 4))


def fixed_reshape(path: Path, value: float = 1.0, kind: int = TensorProto.FLOAT) -> Path:
    """Write a network whose reshape holds the batch size 1, for a batch of any size."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    nodes = [helper.make_node("Relu", ["x"], ["a"], name="act"), helper.make_node("Reshape", ["a", "s"], ["b"], name="rs"),
             helper.make_node("MatMul", ["b", "w"], ["y"], name="mm")]  # fmt: skip
    weights = [numpy_helper.from_array(np.array([1, 12]), "s"),
               numpy_helper.from_array(np.full((12, 5), value, dtype), "w")]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", kind, ["N", 3, 2, 2])],
        [helper.make_tensor_value_info("y", kind, ["M", 5])], weights,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path


def test_a_batch_size_inside_the_file_is_one_clear_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = fixed_reshape(tmp_path / "net.onnx")
    with pytest.raises(InputError) as caught:
        read_model(path).check(torch.rand(16, 3, 2, 2))
    assert str(caught.value) == (
        f"{path}: its batch size is fixed inside the file at node 'rs'; export it with a dynamic batch"
    )
    assert capfd.readouterr() == ("", "")


def test_logits_that_are_not_finite_are_the_users_to_check(tmp_path: Path) -> None:
    path = chain(tmp_path / "net.onnx", "Relu")
    images = torch.full((2, *IMAGE), float("inf"))
    with pytest.raises(InputError, match="its logits are NaN or infinite; check the images and the weights"):
        check_against_onnxruntime(path, read_onnx(path), images)


def test_a_source_that_differs_names_the_node_if_the_network_that_was_read_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of reading is told with its node; one that came later, where the network is right, without."""
    path, images = chain(tmp_path / "model.onnx", "Abs", "Tanh", "GlobalMaxPool"), torch.randn(3, *IMAGE)
    source = read_model(path)
    spoiled = replace(source, program=read_model(chain(tmp_path / "other.onnx", "Abs", "GlobalMaxPool")).program)
    with pytest.raises(PostconditionError) as later:
        spoiled.check(images)
    assert "first node" not in str(later.value)

    network = read_onnx(path)
    network.Tanh_0 = nn.Sigmoid()
    monkeypatch.setattr("seenn_convert.frontend.onnx.reader.read_onnx", lambda *_: network)
    with pytest.raises(PostconditionError, match=r"the first node .* is 'Tanh_0'"):
        spoiled.check(images)
    assert source.check(images) <= 1e-4
