"""Every form of Resize and Upsample gives what onnxruntime gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import NodeProto
from onnx_models import IMAGE, check_model, check_program, integers, node, write_model

from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
from seenn_convert.frontend.onnx.reader import read_onnx


@pytest.mark.parametrize("opset", [11, 13, 18, 19])
@pytest.mark.parametrize(
    "attributes",
    [
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
        {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ],
)
def test_resize(tmp_path: Path, opset: int, attributes: dict[str, Any]) -> None:
    """By scale, up, and by size, down."""
    scaled = write_model(
        tmp_path,
        [node("Resize", "x", "r", "s", **attributes)],
        {"r": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 1.5], np.float32)},
        opset=opset,
    )
    check_against_onnxruntime(scaled, read_onnx(scaled), torch.randn(2, *IMAGE), 1e-5)
    nodes = [
        node("Shape", "x", outputs=("shape",)),
        node("Slice", "shape", "zero", "two", outputs=("head",)),
        node("Concat", "head", "size", outputs=("sizes",), axis=0),
        node("Resize", "x", "r", "r", "sizes", **attributes),
    ]
    constants = {"zero": integers(0), "two": integers(2), "size": integers(4, 5), "r": np.zeros(0, np.float32)}
    check_model(write_model(tmp_path, nodes, constants, opset=opset))


@pytest.mark.parametrize("opset", [7, 9, 10])
def test_old_resizes(tmp_path: Path, opset: int) -> None:
    operator, scales = "Resize" if opset == 10 else "Upsample", np.array([1, 1, 2, 3], np.float32)
    if opset == 7:
        path = write_model(tmp_path, [node(operator, "x", scales=scales.tolist(), mode="nearest")], opset=opset)
    else:
        path = write_model(tmp_path, [node(operator, "x", "s", mode="nearest")], {"s": scales}, opset=opset)
    check_model(path)


def test_resize_of_named_axes(tmp_path: Path) -> None:
    nodes = [node("Resize", "x", "", "s", axes=[2, 3], mode="linear")]
    check_model(write_model(tmp_path, nodes, {"s": np.array([2, 2], np.float32)}))


RULES = ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_half_pixel_for_nn"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_every_coordinate_rule(tmp_path: Path, rule: str, mode: str) -> None:
    """Where no form of interpolation in PyTorch is the same, each axis is mapped by itself; up, by a half, down."""
    opset = 11 if rule == "tf_half_pixel_for_nn" else 13
    scales = {f"s{scale}": np.array([1, 1, scale, scale], np.float32) for scale in (2.0, 1.5, 0.5)}
    rules = {"mode": mode, "coordinate_transformation_mode": rule}
    nodes = [node("Resize", "x", "roi", scale, outputs=(f"of_{scale}",), **rules) for scale in scales]
    check_program(tmp_path, side_by_side(nodes), {"roi": np.zeros(0, np.float32), **scales}, opset=opset)


def side_by_side(nodes: list[NodeProto]) -> list[NodeProto]:
    """Return the nodes, and what joins all their results: one file holds several cases."""
    rows = [node("Flatten", one.output[0], outputs=(f"row_{one.output[0]}",)) for one in nodes]
    return [*nodes, *rows, node("Concat", *(row.output[0] for row in rows), axis=1)]


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("options", [{"antialias": 1}, {"antialias": 1, "exclude_outside": 1}, {}])
def test_wider_kernels_against_aliasing(tmp_path: Path, mode: str, options: dict[str, int]) -> None:
    sizes = {f"z{height}": np.array([height, width]) for height, width in ((3, 4), (2, 3), (12, 5))}
    forms = {"mode": mode, "axes": [2, 3], **options}
    nodes = [node("Resize", "x", "", "", size, outputs=(f"of_{size}",), **forms) for size in sizes]
    check_program(tmp_path, side_by_side(nodes), sizes, opset=18)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_sizes_that_keep_the_aspect_ratio(tmp_path: Path, policy: str, mode: str) -> None:
    nodes = [node("Resize", "x", "", "", "z", mode=mode, axes=[2, 3], keep_aspect_ratio_policy=policy)]
    check_program(tmp_path, nodes, {"z": np.array([13, 15])}, opset=18)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("image", [(3, 9), (2, 3, 4, 4)])
def test_resize_over_one_or_three_dimensions(tmp_path: Path, mode: str, image: tuple[int, ...]) -> None:
    scales = np.array([1, 1, 1.5, 2, 2][: len(image) + 1], np.float32)
    check_program(tmp_path, [node("Resize", "x", "", "s", mode=mode)], {"s": scales}, image, 13)


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(tmp_path: Path, opset: int) -> None:
    scales = np.array([1, 1, 3, 1.5], np.float32)
    given = {} if opset == 9 else {"scales": scales.tolist()}
    nodes = [node("Upsample", *["x", "s"][: 1 + (opset == 9)], mode="linear", **given)]
    check_program(tmp_path, nodes, {"s": scales}, opset=opset)
