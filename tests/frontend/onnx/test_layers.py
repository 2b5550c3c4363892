"""Convolutions, matrix products and normalisations of ONNX files, in their old and new forms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import NodeProto
from onnx_models import IMAGE, Array, check_model, check_program, floats, integers, node, write_model
from torch import nn

from seenn_convert.frontend.onnx.reader import read_onnx


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 1, 1, 1], "strides": [2, 1]},
        {"pads": [0, 1, 2, 0], "dilations": [2, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [1, 3]},
        {"auto_pad": "VALID"},
        {"group": 4, "pads": [1, 0, 1, 0]},
        {"group": 2},
    ],
)
@pytest.mark.parametrize("opset", [7, 20])
def test_convolution(tmp_path: Path, attributes: dict[str, Any], opset: int) -> None:
    image, weight = (4, 6, 8), floats(8, 4 // attributes.get("group", 1), 3, 2)
    nodes = [node("Conv", "x", "w", "b", **attributes)]
    network = check_model(write_model(tmp_path, nodes, {"w": weight, "b": floats(8)}, image, opset), image)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]

    assert len(convolutions) == 1 and convolutions[0].groups == attributes.get("group", 1)


def test_convolution_over_a_sequence(tmp_path: Path) -> None:
    nodes = [node("Conv", "x", "w", pads=[0, 2])]
    check_model(write_model(tmp_path, nodes, {"w": floats(5, 3, 3)}, (3, 9)), (3, 9))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        {"strides": [2, 1], "pads": [0, 1, 1, 0], "group": 2},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"strides": [2, 2], "output_shape": [12, 16]},
        {"dilations": [2, 1]},
    ],
)
def test_transposed_convolution(tmp_path: Path, attributes: dict[str, Any]) -> None:
    constants = {"w": floats(4, 2, 3, 3), "b": floats(2 * attributes.get("group", 1))}
    nodes = [node("ConvTranspose", "x", "w", "b", **attributes)]
    check_model(write_model(tmp_path, nodes, constants, (4, 6, 8)), (4, 6, 8))


@pytest.mark.parametrize("opset", [7, 9, 11, 20])
@pytest.mark.parametrize("attributes", [{}, {"alpha": 0.5, "beta": 2.0, "transB": 1}])
@pytest.mark.parametrize("bias", [(4,), (1, 4), (1,)])
def test_gemm_is_a_linear(tmp_path: Path, opset: int, attributes: dict[str, Any], bias: tuple[int, ...]) -> None:
    weight = floats(4, 6) if attributes else floats(6, 4)
    path = write_model(
        tmp_path, [node("Gemm", "x", "w", "b", **attributes)], {"w": weight, "b": floats(*bias)}, (6,), opset
    )

    assert isinstance(check_model(path, (6,)).the_Gemm, nn.Linear)


def test_matrix_products(tmp_path: Path) -> None:
    """A constant matrix on the right is a Linear; other products stay products."""
    nodes = [
        node("MatMul", "x", "w", outputs=("a",)),
        node("Transpose", "x", outputs=("t",), perm=[0, 1, 3, 2]),
        node("MatMul", "a", "t", outputs=("c",)),
        node("MatMul", "left", "c", outputs=("d",)),
        node("Add", "d", "b"),
    ]
    constants = {"w": floats(8, 8), "left": floats(2, 6), "b": floats(6)}
    network = check_model(write_model(tmp_path, nodes, constants))

    assert isinstance(network.the_MatMul_a, nn.Linear) and network.the_MatMul_a.bias is None


@pytest.mark.parametrize("opset", [7, 9, 15])
@pytest.mark.parametrize("rank", [2, 3, 4])
def test_batch_normalization(tmp_path: Path, opset: int, rank: int) -> None:
    constants = {name: np.abs(floats(3)) + i for i, name in enumerate("sbmv")}
    image = IMAGE[: rank - 1]
    nodes = [node("BatchNormalization", "x", "s", "b", "m", "v", epsilon=0.01)]
    check_model(write_model(tmp_path, nodes, constants, image, opset), image)


def test_batch_normalization_with_empty_outputs(tmp_path: Path) -> None:
    """The five outputs of before opset 14 may be left without names; onnxruntime itself crashes on such a file."""
    constants = {name: np.abs(floats(3)) for name in "sbmv"}
    five = [node("BatchNormalization", "x", *"sbmv", outputs=("y", *[""] * 4))]
    empty = read_onnx(write_model(tmp_path, five, constants, opset=9))
    plain = write_model(tmp_path, [node("BatchNormalization", "x", *"sbmv")], constants, opset=9)
    images = torch.randn(2, *IMAGE)

    torch.testing.assert_close(empty(images), read_onnx(plain)(images))


@pytest.mark.parametrize(
    ("opset", "operator", "constants", "attributes"),
    [
        (20, "InstanceNormalization", {"s": floats(3), "b": floats(3)}, {"epsilon": 0.1}),
        (21, "GroupNormalization", {"s": floats(3), "b": floats(3)}, {"num_groups": 3}),
        (18, "GroupNormalization", {"s": floats(1), "b": floats(1)}, {"num_groups": 1}),
        (20, "LayerNormalization", {"s": floats(8), "b": floats(8)}, {}),
        (20, "LayerNormalization", {"s": floats(3, 6, 8)}, {"axis": 1}),
        (20, "LRN", {}, {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 2.0}),
        (20, "PRelu", {"s": floats(1)}, {}),
        (7, "PRelu", {"s": floats(3, 1, 1)}, {}),
    ],
)
def test_normalizations_and_slopes(
    tmp_path: Path, opset: int, operator: str, constants: dict[str, Array], attributes: dict[str, Any]
) -> None:
    check_model(write_model(tmp_path, [node(operator, "x", *constants, **attributes)], constants, opset=opset))


VOLUME = (2, 4, 4, 6)


@pytest.mark.parametrize(
    ("operator", "attributes", "constants"),
    [
        ("Conv", {"pads": [1, 0, 1, 0, 1, 1]}, {"w": floats(5, 2, 3, 3, 3)}),
        ("MaxPool", {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}, {}),
        ("AveragePool", {"kernel_shape": [2, 2, 2], "strides": [2, 2, 2]}, {}),
        ("GlobalAveragePool", {}, {}),
        ("GlobalMaxPool", {}, {}),
        ("InstanceNormalization", {}, {"w": floats(2), "b": floats(2)}),
        ("BatchNormalization", {}, {name: abs(floats(2)) for name in "wbmv"}),
    ],
)
def test_three_spatial_dimensions(
    tmp_path: Path, operator: str, attributes: dict[str, Any], constants: dict[str, Array]
) -> None:
    check_program(tmp_path, [node(operator, "x", *constants, **attributes)], constants, VOLUME, 13)


@pytest.mark.parametrize(
    ("left", "right"), [("x", "matrix"), ("x", "row"), ("column", "x"), ("x", "stack"), ("x", "turned")]
)
def test_products_with_a_constant_on_either_side(tmp_path: Path, left: str, right: str) -> None:
    constants = {"matrix": floats(8, 5), "row": floats(8), "column": floats(5, 6), "stack": floats(3, 8, 5)}
    nodes = [node("Transpose", "x", outputs=("turned",), perm=[0, 1, 3, 2]), node("MatMul", left, right)]
    check_program(tmp_path, nodes, constants)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Transpose", "x", outputs=("t",), perm=[1, 0]), node("Gemm", "t", "w", "b", transA=1, alpha=0.5)],
        [node("Gemm", "x", "w", "x", beta=2.0)],
        [node("Gemm", "x", "w", "")],
    ],
)
def test_unusual_gemms(tmp_path: Path, nodes: list[NodeProto]) -> None:
    check_program(tmp_path, nodes, {"w": floats(4, 4), "b": floats(4)}, (4,), 13)


@pytest.mark.parametrize(
    ("equation", "shape", "is_linear"),
    [
        ("bchw,wd->bchd", (8, 5), True),
        ("...w,dw->...d", (5, 8), True),
        ("abcd,de", (8, 5), True),
        ("bchw,cd->bdhw", (3, 5), False),
        ("b...,...->b...", (3, 6, 8), False),
    ],
)
def test_einsum(tmp_path: Path, equation: str, shape: tuple[int, ...], is_linear: bool) -> None:
    nodes, constants = [node("Einsum", "x", "w", equation=equation)], {"w": floats(*shape)}
    check_program(tmp_path, nodes, constants, opset=12)

    assert isinstance(read_onnx(write_model(tmp_path, nodes, constants, opset=12)).the_Einsum, nn.Linear) is is_linear


def test_einsum_of_activations(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", outputs=("r",)), node("Einsum", "x", "r", equation="bchw,bcvw->bchv")]
    check_program(tmp_path, nodes, opset=12)


@pytest.mark.parametrize("attributes", [{}, {"is_causal": 1}, {"scale": 0.3}])
@pytest.mark.parametrize("heads", [{}, {"q_num_heads": 2, "kv_num_heads": 2}])
def test_attention(tmp_path: Path, attributes: dict[str, Any], heads: dict[str, Any]) -> None:
    shape = integers(0, 12, 12) if heads else integers(0, 2, 6, 12)
    nodes = [
        node("Reshape", "x", "shape", outputs=("q",)),
        node("Relu", "q", outputs=("k",)),
        node("Attention", "q", "k", "q", **attributes, **heads),
    ]
    check_program(tmp_path, nodes, {"shape": shape}, opset=23)


@pytest.mark.parametrize("mask", [floats(6, 6), floats(6, 6) > -1])
def test_attention_with_a_mask(tmp_path: Path, mask: Array) -> None:
    nodes = [node("Reshape", "x", "shape", outputs=("q",)), node("Attention", "q", "q", "q", "mask")]
    check_program(tmp_path, nodes, {"shape": integers(0, 2, 6, 12), "mask": mask}, opset=23)


@pytest.mark.parametrize(
    ("operator", "attributes", "constants", "opset"),
    [
        ("RMSNormalization", {}, {"s": floats(8)}, 23),
        ("MeanVarianceNormalization", {"axes": [2, 3]}, {}, 9),
        ("LpNormalization", {"axis": 1, "p": 1}, {}, 7),
        ("LpNormalization", {"axis": -1}, {}, 13),
        ("BatchNormalization", {"spatial": 0}, {name: abs(floats(*IMAGE)) for name in "sbmv"}, 7),
        ("LRN", {"size": 3, "alpha": 0.1, "beta": 0.6, "bias": 1.5}, {}, 7),
        ("LayerNormalization", {"axis": 1}, {"s": floats(*IMAGE)}, 17),
    ],
)
def test_more_normalizations(
    tmp_path: Path, operator: str, attributes: dict[str, Any], constants: dict[str, Array], opset: int
) -> None:
    check_program(tmp_path, [node(operator, "x", *constants, **attributes)], constants, opset=opset)


@pytest.mark.parametrize("order", [1, 2])
def test_a_norm_of_zero_divides_nothing(tmp_path: Path, order: int) -> None:
    """onnxruntime leaves a vector of zeros as it is."""
    mask = np.ones(IMAGE, np.float32)
    mask[:, 2] = 0
    nodes = [node("Mul", "x", "m", outputs=("z",)), node("LpNormalization", "z", axis=-1, p=order)]
    check_program(tmp_path, nodes, {"m": mask})
