"""A damaged or hostile ONNX file is one sentence, soon and with little memory."""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnx_models import floats, integers, node, refusal, write_model

from seenn_convert.errors import InputError
from seenn_convert.frontend.load import read_model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nodes = [node("Conv", "x", "w", outputs=("c",)), node("Flatten", "c", outputs=("y",))]
    return write_model(tmp_path, nodes, {"w": floats(4, 3, 3, 3)})


def of_unknown_weight_type(model: ModelProto) -> None:
    model.graph.initializer[0].data_type = 99


def of_text(model: ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(TensorProto(name="w", data_type=8, dims=[1], string_data=[b"a"]))


def of_negative_size(model: ModelProto) -> None:
    model.graph.initializer[0].CopyFrom(TensorProto(name="w", data_type=1, dims=[-3]))


def of_unknown_input_type(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


def with_an_attribute_that_is_no_text(model: ModelProto) -> None:
    attribute = helper.make_attribute("auto_pad", "VALID")
    attribute.s = b"\xff\xfe"
    model.graph.node[0].attribute.append(attribute)


def with_a_huge_input(model: ModelProto) -> None:
    for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 2**20, 2**16), strict=True):
        dim.dim_value = size


def with_a_huge_batch(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2**31


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (of_unknown_weight_type, "weight 'w' is not readable"),
        (of_text, "weight 'w' holds no numbers"),
        (of_negative_size, "weight 'w' holds no numbers"),
        (of_unknown_input_type, "input 'x' has type unknown (99), not a float"),
        (with_an_attribute_that_is_no_text, "holds text that is not UTF-8"),
        (with_a_huge_input, "holds 206158430208 numbers, at most"),
        (with_a_huge_batch, "fixes a batch of 2147483648 images"),
    ],
)
def test_a_damaged_file_is_one_sentence(path: Path, change: object, expected: str) -> None:
    model = onnx.load(path)
    change(model)  # type: ignore[operator]
    onnx.save(model, path)
    with pytest.raises(InputError) as caught:
        read_model(path)

    assert expected in str(caught.value) and "\n" not in str(caught.value)


def with_functions(path: Path, depth: int, calls: int) -> Path:
    """Write a network whose function number i calls number i + 1 several times."""
    domain, opsets = "mine", [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    functions = []
    for i in range(depth):
        callee = {"op_type": f"f{i + 1}", "domain": domain} if i + 1 < depth else {"op_type": "Relu"}
        names = ["a", *(f"v{j}" for j in range(calls - 1)), "b"]
        nodes = [helper.make_node(inputs=[one], outputs=[other], **callee) for one, other in pairwise(names)]
        functions.append(helper.make_function(domain, f"f{i}", ["a"], ["b"], nodes, opsets))
    graph = helper.make_graph(
        [helper.make_node("f0", ["x"], ["y"], domain=domain)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    onnx.save(helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=8), path)
    return path


def test_functions_that_double_at_each_level_are_counted_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="functions expand to 1099511627776 nodes"):
        read_model(with_functions(tmp_path / "net.onnx", depth=40, calls=2))


def test_functions_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = with_functions(tmp_path / "net.onnx", depth=3, calls=1)
    model = onnx.load(path)
    model.functions[2].node[0].op_type, model.functions[2].node[0].domain = "f0", "mine"
    onnx.save(model, path)
    with pytest.raises(InputError, match="its local function 'f.' calls itself"):
        read_model(path)


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "OneHot"])
def test_what_constants_grow_into_is_estimated_before_it_is_computed(tmp_path: Path, kind: str) -> None:
    one, size = np.ones((1, 1), np.float32), integers(2**20, 2**20)
    inputs = {
        "ConstantOfShape": [size],
        "Expand": [one, size],
        "Tile": [one, size],
        "Range": [np.float32(0), np.float32(2**30), np.float32(1)],
        "Pad": [one, integers(0, 0, 2**20, 2**20)],
        "Resize": [one, np.zeros(0, np.float32), np.float32([2**20, 2**20])],
        "OneHot": [np.zeros((2**10, 2**10), np.int64), np.int64(2**20), np.float32([0, 1])],
    }[kind]
    names = [f"i{k}" for k in range(len(inputs))]
    nodes = [node(kind, *names, outputs=("big",)), node("Add", "x", "big")]
    start = time.process_time()
    said = refusal(write_model(tmp_path, nodes, dict(zip(names, inputs, strict=True))))

    assert f"({kind}, opset 20): its constant result would hold" in said and time.process_time() - start < 5


def test_a_product_of_constants_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", "s", outputs=("a",), value=numpy_helper.from_array(np.float32([1]))),
        *(node("MatMul", "a", "a", outputs=(f"b{i}",)) for i in range(3)),
        node("Sum", "x", "b0", "b1", "b2"),
    ]
    said = refusal(write_model(tmp_path, nodes, {"s": integers(2000, 2000)}))

    assert "its constant result would take 8.0e+09 multiplications" in said


def test_text_is_not_evaluated(tmp_path: Path) -> None:
    nodes = [
        node("Constant", outputs=("t",), value=helper.make_tensor("t", TensorProto.STRING, [1], [b"a" * 30])),
        node("RegexFullMatch", "t", outputs=("m",), pattern="(a|aa)+b"),
        node("Where", "m", "x", "x"),
    ]
    assert "has no conversion" in refusal(write_model(tmp_path, nodes, {}))
