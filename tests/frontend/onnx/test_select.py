"""What picks, repeats and reduces in ONNX files: slices, gathers, tiles, blocks of places, norms and sums."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto
from onnx_models import Array, check_program, floats, integers, node

LAST = 2**63 - 1
REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Min", "Prod", "SumSquare"]


@pytest.mark.parametrize("operator", [f"Reduce{name}" for name in REDUCTIONS])
@pytest.mark.parametrize(("opset", "axes"), [(7, [2, 3]), (11, [-1]), (18, [1]), (20, [2, 3])])
def test_reductions(tmp_path: Path, operator: str, opset: int, axes: list[int]) -> None:
    """Axes are an attribute before opset 18, an input since."""
    exponential = node("Exp", "x", outputs=("p",))  # a logarithm needs positive numbers
    if opset < 18:
        nodes = [exponential, node(operator, "p", axes=axes, keepdims=0)]
    else:
        nodes = [exponential, node(operator, "p", "axes", keepdims=1)]
    check_program(tmp_path, nodes, {"axes": np.array(axes)}, opset=opset)


@pytest.mark.parametrize("attributes", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}])
def test_cumulative_sum(tmp_path: Path, attributes: dict[str, int]) -> None:
    check_program(tmp_path, [node("CumSum", "x", "axis", **attributes)], {"axis": np.int64(3)}, opset=14)


@pytest.mark.parametrize(
    ("start", "end", "axis", "step"),
    [(-1, -LAST, 3, -1), (2, 0, 1, -2), (-8, -1, -1, 3), (1, LAST, 2, 1), (-1, -5, 2, -2)],
)
def test_slices_in_either_direction(tmp_path: Path, start: int, end: int, axis: int, step: int) -> None:
    constants = {"s": integers(start), "e": integers(end), "a": integers(axis), "t": integers(step)}
    check_program(tmp_path, [node("Slice", "x", "s", "e", "a", "t")], constants, opset=10)


@pytest.mark.parametrize("index", [np.int64(-1), integers(2, 0), np.array([[0, 1, 1], [2, -1, 0]])])
@pytest.mark.parametrize("axis", [1, 3])
def test_gather_by_a_table(tmp_path: Path, index: Array, axis: int) -> None:
    check_program(tmp_path, [node("Gather", "x", "i", axis=axis)], {"i": index}, opset=7)


@pytest.mark.parametrize(
    ("index", "back"),
    [(np.array([[0, 1], [-1, 7], [2, 2]]), [1, 2, 0]), (np.array([[[0], [5]], [[1], [1]]]), [3, 4, 0, 1, 2])],
)
def test_gather_in_front_of_a_batch_that_was_moved(tmp_path: Path, index: Array, back: list[int]) -> None:
    """That is how pooling to a size that does not divide the image is exported."""
    nodes = [
        node("Transpose", "x", outputs=("t",), perm=[2, 3, 0, 1]),
        node("GatherND", "t", "i", outputs=("g",)),
        node("Transpose", "g", perm=back),
    ]
    check_program(tmp_path, nodes, {"i": index}, opset=12)


@pytest.mark.parametrize("batch", ["batch", 2])
@pytest.mark.parametrize("table", [np.arange(144).reshape(3, 48), np.array([[3, 0], [143, 7]])])
def test_the_same_places_of_every_row(tmp_path: Path, batch: int | str, table: Array) -> None:
    """That is how strides are exported: rows joined into one axis, and places counted through all of them."""
    nodes = [
        node("Reshape", "x", "flat", outputs=("joined",)),
        node("Shape", "x", outputs=("sizes",), start=0, end=1),
        node("Squeeze", "sizes", outputs=("count",)),
        node("Range", "zero", "count", "one", outputs=("rows",)),
        node("Mul", "rows", "length", outputs=("starts",)),
        node("Unsqueeze", "starts", "axes", outputs=("column",)),
        node("Add", "column", "table", outputs=("places",)),
        node("Gather", "joined", "places"),
    ]
    constants = {
        "flat": integers(-1),
        "zero": np.int64(0),
        "one": np.int64(1),
        "length": np.int64(144),
        "axes": integers(1, 2),
        "table": table[None],
    }
    check_program(tmp_path, nodes, constants, opset=15, batch=batch)


@pytest.mark.parametrize("opset", [7, 13])
def test_tile(tmp_path: Path, opset: int) -> None:
    nodes = [
        node("Tile", "row", "r", outputs=("c",)),
        node("Add", "x", "c", outputs=("a",)),
        node("Tile", "a", "counts"),
    ]
    constants = {"row": floats(1, 8), "r": integers(6, 1), "counts": integers(1, 2, 1, 3)}
    check_program(tmp_path, nodes, constants, opset=opset)


@pytest.mark.parametrize(
    ("operator", "attributes", "opset"),
    [
        ("DepthToSpace", {}, 7),
        ("DepthToSpace", {"mode": "DCR"}, 11),
        ("DepthToSpace", {"mode": "CRD"}, 13),
        ("SpaceToDepth", {}, 7),
    ],
)
def test_blocks_of_places(tmp_path: Path, operator: str, attributes: dict[str, Any], opset: int) -> None:
    check_program(tmp_path, [node(operator, "x", blocksize=2, **attributes)], {}, (8, 6, 4), opset)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("diagonal", [[], ["k"]])
def test_triangles(tmp_path: Path, upper: int, diagonal: list[str]) -> None:
    check_program(tmp_path, [node("Trilu", "x", *diagonal, upper=upper)], {"k": np.int64(-1)}, opset=14)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Split", "x", outputs=("a", "b"), axis=1, split=[1, 2]), node("Concat", "b", "a", axis=1)],
        [node("Unsqueeze", "x", outputs=("a",), axes=[1, 4]), node("Squeeze", "a", axes=[1, 4])],
        [node("Unsqueeze", "x", outputs=("a",), axes=[-1]), node("Squeeze", "a", axes=[-1])],
        [node("Slice", "x", starts=[1, 0], ends=[3, 1000], axes=[1, 3])],
        [node("ReduceMean", "x", axes=[2, 3], keepdims=0)],
        [node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 1, 0], value=0.5)],
    ],
)
def test_arguments_that_were_attributes(tmp_path: Path, nodes: list[NodeProto]) -> None:
    opset = 7 if nodes[0].op_type != "Unsqueeze" or nodes[0].attribute[0].ints[0] > 0 else 11
    check_program(tmp_path, nodes, opset=opset)
