"""Pools, paddings and softmax of ONNX files, in their old and new forms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_models import IMAGE, Array, check_model, check_program, integers, node, write_model

from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
from seenn_convert.frontend.onnx.reader import read_onnx


@pytest.mark.parametrize("opset", [10, 18, 22])
@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 3], "ceil_mode": 1},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "pads": [2, 1, 2, 1]},
        {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER", "strides": [2, 1]},
        {"kernel_shape": [2, 2], "auto_pad": "SAME_LOWER"},
        {"kernel_shape": [2, 2], "auto_pad": "VALID", "strides": [2, 2]},
    ],
)
def test_pools(tmp_path: Path, opset: int, operator: str, attributes: dict[str, Any]) -> None:
    check_pool(tmp_path, opset, operator, attributes)
    if operator == "AveragePool":
        check_pool(tmp_path, opset, operator, {**attributes, "count_include_pad": 1})
    elif "auto_pad" not in attributes:
        check_pool(tmp_path, opset, operator, {**attributes, "dilations": [2, 1]})


def check_pool(folder: Path, opset: int, operator: str, attributes: dict[str, Any]) -> None:
    path = write_model(folder, [node(operator, "x", **attributes)], opset=opset)
    images = torch.randn(2, *IMAGE) - 3  # mostly negative: a padding of zeros would win every maximum
    check_against_onnxruntime(path, read_onnx(path), images, 1e-5)


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("MaxPool", {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0], "strides": [2, 2]}),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [0, 1, 1, 0]}),
        ("GlobalAveragePool", {}),
        ("GlobalMaxPool", {}),
    ],
)
@pytest.mark.parametrize("image", [IMAGE, (3, 9)])
def test_pools_export(tmp_path: Path, operator: str, attributes: dict[str, Any], image: tuple[int, ...]) -> None:
    if len(image) == 2:
        attributes = {name: [value[0], value[-1]][: 2 if name == "pads" else 1] for name, value in attributes.items()}
    check_model(write_model(tmp_path, [node(operator, "x", **attributes)], image=image), image)


@pytest.mark.parametrize(
    ("opset", "inputs", "attributes", "constants"),
    [
        (2, ("x",), {"pads": [0, 0, 1, 2, 0, 0, 0, 1], "value": 1.5}, {}),
        (11, ("x", "p"), {}, {"p": integers(0, 4, 0, 0, 0, 4, 0, 0)}),
        (13, ("x", "p", "v"), {}, {"p": integers(0, 0, 0, 1, 0, 0, 2, 0), "v": np.float32(2)}),
        (18, ("x", "p", "", "a"), {}, {"p": integers(1, 2, -1, 0), "a": integers(-1, 2)}),
        (18, ("x", "p"), {"mode": "reflect"}, {"p": integers(0, 0, 1, 2, 0, 0, 3, 0)}),
        (20, ("x", "p"), {"mode": "edge"}, {"p": integers(0, 0, 0, 2, 0, 0, 0, 1)}),
        (20, ("x", "p"), {"mode": "edge"}, {"p": integers(0, 0, 0, 0, 0, 0, 0, 0)}),
    ],
)
def test_pad(
    tmp_path: Path, opset: int, inputs: tuple[str, ...], attributes: dict[str, Any], constants: dict[str, Array]
) -> None:
    check_model(write_model(tmp_path, [node("Pad", *inputs, **attributes)], constants, opset=max(opset, 7)))


@pytest.mark.parametrize("opset", [7, 12, 13, 20])
@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_softmax_flattens_before_opset_13(tmp_path: Path, opset: int, axis: int) -> None:
    if axis < 0 and opset < 11:
        axis = 3
    check_model(write_model(tmp_path, [node("Softmax", "x", axis=axis)], opset=opset))


@pytest.mark.parametrize("mode", ["edge", "wrap", "reflect"])
@pytest.mark.parametrize("amounts", [[0, 1, 0, 0, 0, 1, 0, 0], [0, 0, 2, 1, 0, 0, 0, 3], [0, 1, 1, 0, 0, 0, 0, 2]])
def test_pad_by_the_tensors_own_places(tmp_path: Path, mode: str, amounts: list[int]) -> None:
    check_program(tmp_path, [node("Pad", "x", "p", mode=mode)], {"p": np.array(amounts)}, opset=19)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_automatic_padding(tmp_path: Path, operator: str, auto_pad: str) -> None:
    nodes = [node(operator, "x", auto_pad=auto_pad, kernel_shape=[3, 2], strides=[2, 1])]
    check_program(tmp_path, nodes, opset=7)


def test_norms_of_all_places(tmp_path: Path) -> None:
    check_program(tmp_path, [node("GlobalLpPool", "x", p=2)], opset=11)


@pytest.mark.parametrize("opset", [7, 13])
@pytest.mark.parametrize("axis", [1, 3])
def test_log_softmax(tmp_path: Path, opset: int, axis: int) -> None:
    check_program(tmp_path, [node("LogSoftmax", "x", axis=axis)], opset=opset)
