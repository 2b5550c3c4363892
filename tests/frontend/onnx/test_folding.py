"""What an ONNX file computes from constants is folded; what cannot be read is refused with the reason."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx_models import Array, check_model, check_program, floats, integers, node, refusal, write_model
from torch import nn


def test_weights_computed_in_the_graph_are_folded(tmp_path: Path) -> None:
    """Weight standardisation, an Identity of a shared weight and Constant nodes all end in one Conv2d."""
    nodes = [
        node("Identity", "w", outputs=("w1",)),
        node("ReduceMean", "w1", "axes", outputs=("mean",)),
        node("Sub", "w1", "mean", outputs=("centred",)),
        node("Constant", outputs=("gain",), value_float=2.0),
        node("Mul", "centred", "gain", outputs=("scaled",)),
        node("Conv", "x", "scaled"),
    ]
    network = check_model(write_model(tmp_path, nodes, {"w": floats(4, 3, 3, 3), "axes": integers(1, 2, 3)}))

    assert [type(module) for module in network.children()] == [nn.Conv2d]


@pytest.mark.parametrize(
    ("opset", "outputs", "attributes"),
    [(9, ("n",), {}), (13, ("n", "o1", "o2", "o3", "o4"), {}), (15, ("n", "o1", "o2"), {"training_mode": 1})],
)
def test_weights_standardised_by_a_batch_norm_are_folded(
    tmp_path: Path, opset: int, outputs: tuple[str, ...], attributes: dict[str, Any]
) -> None:
    """Exporters write it as a batch norm in training mode, over the weights with the output channels second."""
    nodes = [
        node("BatchNormalization", "w", "s", "b", "m", "v", outputs=outputs, **attributes),
        node("Reshape", "n", "shape", outputs=("weight",)),
        node("Conv", "x", "weight"),
    ]
    constants = {name: np.abs(floats(4)) + 0.5 for name in "sbmv"}
    constants |= {"w": floats(1, 4, 27), "shape": integers(4, 3, 3, 3)}
    network = check_model(write_model(tmp_path, nodes, constants, opset=opset))

    assert [type(module) for module in network.children()] == [nn.Conv2d]


@pytest.mark.parametrize(
    ("nodes", "constants", "opset", "expected"),
    [
        ([node("ArgMax", "x", axis=1)], {}, 20, "has no conversion"),
        ([node("Swish", "x", domain="com.example")], {}, 20, "domain 'com.example'"),
        ([node("Conv", "x", "x")], {}, 20, "input 1 is computed from the image"),
        ([node("Slice", "x", "s", "e")], dict(s=integers(1), e=integers(2)), 20, "cuts the batch"),
        ([node("ReduceMean", "x", keepdims=0)], {}, 20, "across the images"),
        ([node("Softmax", "x", axis=0)], {}, 20, "across the images"),
        ([node("Concat", "x", "x", axis=0)], {}, 20, "different batches"),
        ([node("Pad", "x", "p")], dict(p=integers(1, 0, 0, 0, 0, 0, 0, 0)), 20, "pads the batch"),
        (
            [node("Resize", "x", "r", "s", coordinate_transformation_mode="tf_crop_and_resize")],
            dict(r=np.zeros(8, np.float32), s=np.array([1, 1, 2, 2], np.float32)),
            20,
            "coordinate rule 'tf_crop_and_resize'",
        ),
        ([node("Where", "x", "w", "w")], dict(w=floats(8)), 20, "condition is not made of truth values; cast it to bool"),
        ([node("Cast", "x", to=TensorProto.STRING)], {}, 20, "casts to that type are not supported"),
        ([node("Tile", "x", "s")], dict(s=integers(2, 1, 1, 1)), 20, "repeats the images"),
        ([node("GatherND", "x", "s")], dict(s=integers(1).reshape(1, 1)), 20, "picks along the batch"),
        ([node("CumSum", "x", "s")], dict(s=integers(0)), 20, "across the images"),
        ([node("Mod", "x", "w")], dict(w=floats(8)), 20, "whole numbers"),
        ([node("Attention", "x", "x", "x", softcap=3.0)], {}, 23, "soft cap"),
        ([node("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, 20, "dilated average pool"),
        (
            [node("MaxPool", "x", outputs=("m", "i"), kernel_shape=[2, 2]), node("Cast", "i", to=TensorProto.FLOAT)],
            {},
            20,
            "only output 0 is supported",
        ),
        ([node("LRN", "x", size=4)], {}, 20, "size 4 is even"),
        ([node("Gemm", "x", "w", transA=1)], dict(w=floats(3, 3)), 20, "does not fit its inputs"),
        ([node("RandomNormalLike", "w", outputs=("r",)), node("Add", "x", "r")], dict(w=floats(3, 6, 8)), 20, "random"),
        ([node("BatchNormalization", "x", *"ssss", training_mode=1)], dict(s=floats(3)), 15, "training mode"),
        ([node("BatchNormalization", "x", *"ssss", outputs=("y", *"abcd"))], dict(s=floats(3)), 9, "training mode"),
        ([node("Reshape", "x", "s")], dict(s=integers(7, 11)), 20, "as many elements"),
        ([node("Add", "x", "w")], dict(w=floats(5, 1)), 20, "does not fit its inputs"),
    ],
)
def test_refusals_say_why(
    tmp_path: Path, nodes: list[NodeProto], constants: dict[str, Array], opset: int, expected: str
) -> None:
    said = refusal(write_model(tmp_path, nodes, constants, opset=opset))

    assert expected in said and said.startswith("node 'the_") and f"opset {opset})" in said


CONSTANT_FORMS = [
    {"value": numpy_helper.from_array(floats(3, 1, 1))},
    {"value_float": 0.5},
    {"value_floats": [0.5] * 8},
    {
        "sparse_value": helper.make_sparse_tensor(
            numpy_helper.from_array(np.float32([1, 2])), numpy_helper.from_array(integers(1, 3)), [8]
        )
    },
]


@pytest.mark.parametrize("attributes", CONSTANT_FORMS)
def test_constants_in_every_form(tmp_path: Path, attributes: dict[str, Any]) -> None:
    check_program(tmp_path, [node("Constant", outputs=("c",), **attributes), node("Add", "x", "c")], opset=13)


@pytest.mark.parametrize("scale", [np.float32(0.1), np.float32([0.1, 0.2, 0.3, 0.4, 0.5])])
@pytest.mark.parametrize("opset", [10, 13, 19])
def test_quantised_weights_become_numbers(tmp_path: Path, scale: Array, opset: int) -> None:
    if scale.ndim and opset == 10:
        pytest.skip("opset 10 has one scale for all")
    axis = {"axis": 0} if scale.ndim else {}
    nodes = [node("DequantizeLinear", "w", "s", "z", outputs=("d",), **axis), node("Conv", "x", "d")]
    weight = np.arange(-67, 68, dtype=np.int8).reshape(5, 3, 3, 3)
    check_program(tmp_path, nodes, {"w": weight, "s": scale, "z": np.full(scale.shape, 3, np.int8)}, opset=opset)


def test_weights_from_shapes_and_aliases(tmp_path: Path) -> None:
    """A weight of equal numbers, one that goes through Identity twice and serves two nodes, and a transposed one."""
    nodes = [
        node("ConstantOfShape", "shape", outputs=("even",), value=numpy_helper.from_array(np.float32([0.1]))),
        node("Identity", "w", outputs=("w1",)),
        node("Identity", "w1", outputs=("w2",)),
        node("Conv", "x", "even", outputs=("a",)),
        node("Conv", "x", "w1", outputs=("b",)),
        node("Conv", "x", "w2", outputs=("c",)),
        node("Sum", "a", "b", "c", outputs=("d",)),
        node("Transpose", "m", outputs=("turned",), perm=[1, 0]),
        node("MatMul", "d", "turned"),
    ]
    constants = {"shape": integers(5, 3, 3, 3), "w": floats(5, 3, 3, 3), "m": floats(4, 6)}
    check_program(tmp_path, nodes, constants, opset=9)


def test_logic_on_constants(tmp_path: Path) -> None:
    """As exporters choose between a size that is given and one that is not."""
    nodes = [
        node("Equal", "wanted", "open", outputs=("e",)),
        node("Not", "e", outputs=("n",)),
        node("Where", "n", "wanted", "rest", outputs=("target",)),
        node("Reshape", "x", "target"),
    ]
    constants = {"wanted": integers(0, 7), "open": integers(7, 7), "rest": integers(9, -1)}
    check_program(tmp_path, nodes, constants, opset=11)
