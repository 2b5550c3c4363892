"""What rearranges in ONNX files: reshapes, slices, splits, reductions, and the arithmetic of shapes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from onnx_models import IMAGE, Array, check_model, check_program, floats, integers, node, write_model
from torch import nn

from seenn_convert.frontend.onnx.reader import read_onnx


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("operator", "opset", "as_input"),
    [("ReduceMean", 7, False), ("ReduceMean", 18, True), ("ReduceSum", 11, False), ("ReduceSum", 13, True)],
)
def test_reductions(tmp_path: Path, operator: str, opset: int, as_input: bool, keepdims: int) -> None:
    if as_input:
        nodes = [node(operator, "x", "axes", keepdims=keepdims)]
        path = write_model(tmp_path, nodes, {"axes": integers(-1, 2)}, opset=opset)
    else:
        path = write_model(tmp_path, [node(operator, "x", axes=[2, 3], keepdims=keepdims)], opset=opset)
    check_model(path)


def test_a_reduction_over_no_axes_can_be_nothing(tmp_path: Path) -> None:
    check_model(write_model(tmp_path, [node("ReduceSum", "x", noop_with_empty_axes=1)]))


@pytest.mark.parametrize(
    ("opset", "inputs", "attributes", "constants"),
    [
        (7, ("x",), {"starts": [1, 0], "ends": [-1, 5], "axes": [2, 3]}, {}),
        (9, ("x",), {"starts": [0, 1], "ends": [2**31 - 1, 3]}, {}),
        (10, ("x", "s", "e", "a"), {}, {"s": integers(1), "e": integers(2**62), "a": integers(-1)}),
        (
            13,
            ("x", "s", "e", "a", "t"),
            {},
            {k: integers(*v) for k, v in {"s": (0, 1), "e": (9, 9), "a": (2, 3), "t": (2, 3)}.items()},
        ),
    ],
)
def test_slice(
    tmp_path: Path, opset: int, inputs: tuple[str, ...], attributes: dict[str, Any], constants: dict[str, Array]
) -> None:
    check_model(write_model(tmp_path, [node("Slice", *inputs, **attributes)], constants, opset=opset))


@pytest.mark.parametrize(
    ("opset", "inputs", "attributes", "constants"),
    [
        (7, ("x",), {"axis": 3}, {}),
        (7, ("x",), {"axis": 3, "split": [3, 5]}, {}),
        (13, ("x", "s"), {"axis": -1}, {"s": integers(3, 5)}),
        (18, ("x",), {"axis": 3, "num_outputs": 2}, {}),
    ],
)
def test_split(
    tmp_path: Path, opset: int, inputs: tuple[str, ...], attributes: dict[str, Any], constants: dict[str, Array]
) -> None:
    nodes = [
        node("Split", *inputs, outputs=("a", "b"), **attributes),
        node("Relu", "a", outputs=("c",)),
        node("Concat", "b", "c", "b", axis=-1 if opset > 10 else 3),
    ]
    check_model(write_model(tmp_path, nodes, constants, opset=opset))


def test_split_whose_last_part_is_smaller_and_whose_first_is_unused(tmp_path: Path) -> None:
    nodes = [node("Split", "x", outputs=("a", "y"), axis=1, num_outputs=2)]
    network = check_model(write_model(tmp_path, nodes))

    assert network(torch.zeros(2, *IMAGE)).shape[1] == 1


@pytest.mark.parametrize("index", [np.int64(-1), integers(2, 0), integers(-1)])
def test_gather(tmp_path: Path, index: Array) -> None:
    check_model(write_model(tmp_path, [node("Gather", "x", "i", axis=1)], {"i": np.asarray(index)}))


@pytest.mark.parametrize("opset", [11, 13])
def test_squeeze_and_unsqueeze(tmp_path: Path, opset: int) -> None:
    new, old = [1, -1], [2, 5]
    if opset < 13:
        nodes = [node("Unsqueeze", "x", outputs=("u",), axes=[2, 5]), node("Squeeze", "u", axes=[5])]
        constants = {}
    else:
        nodes = [
            node("Unsqueeze", "x", "new", outputs=("u",)),
            node("Squeeze", "u", "first", outputs=("v",)),
            node("Squeeze", "v"),
        ]
        constants = {"new": integers(*new), "first": integers(1)}
    network = check_model(write_model(tmp_path, nodes, constants, opset=opset))

    assert network(torch.zeros(2, *IMAGE)).dim() == (5 if old and opset < 13 else 4)


@pytest.mark.parametrize("perm", [None, [0, 2, 3, 1]])
def test_transpose(tmp_path: Path, perm: list[int] | None) -> None:
    """Without an order the axes are reversed; here that is done twice, so that the batch is first again."""
    if perm is None:
        nodes = [node("Transpose", "x", outputs=("t",)), node("Relu", "t", outputs=("r",)), node("Transpose", "r")]
    else:
        nodes = [node("Transpose", "x", perm=perm)]
    check_model(write_model(tmp_path, nodes))


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_flatten(tmp_path: Path, axis: int, batch: int | str) -> None:
    """Axes before the last are merged into the batch, so the result is brought back to one row per image."""
    nodes = [node("Flatten", "x", outputs=("f",), axis=axis), node("Reshape", "f", "shape")]
    check_model(write_model(tmp_path, nodes, {"shape": integers(-1, 18, 8)}, batch=batch))


@pytest.mark.parametrize("batch", ["batch", 1, 2])
@pytest.mark.parametrize(
    ("target", "allowzero"), [((0, -1), 0), ((-1, 144), 0), ((0, 3, 48), 0), ((0, 0, -1), 0), ((-1, 12, 2, 6), 1)]
)
def test_reshape(tmp_path: Path, batch: int | str, target: tuple[int, ...], allowzero: int) -> None:
    nodes = [node("Reshape", "x", "shape", allowzero=allowzero)]
    check_model(write_model(tmp_path, nodes, {"shape": integers(*target)}, batch=batch))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("rest", [(144,), (-1,), (3, 48), (1, 144), (2, 3, 24)])
def test_reshape_to_the_fixed_batch_of_the_file_means_any_batch(
    tmp_path: Path, batch: int, rest: tuple[int, ...]
) -> None:
    nodes = [node("Reshape", "x", "shape")]
    network = check_model(write_model(tmp_path, nodes, {"shape": integers(batch, *rest)}, batch=batch))

    assert network(torch.zeros(5, *IMAGE)).shape[0] == 5


def test_reshape_in_an_open_batch_that_writes_one(tmp_path: Path) -> None:
    """onnxruntime runs such a file on single images only."""
    path = write_model(tmp_path, [node("Reshape", "x", "shape")], {"shape": integers(1, 144)})

    assert read_onnx(path)(torch.zeros(5, *IMAGE)).shape == (5, 144)


@pytest.mark.parametrize("batch", ["batch", 2])
def test_reshape_follows_a_batch_that_is_not_first(tmp_path: Path, batch: int | str) -> None:
    fixed = 6, 2 * 3, 8
    nodes = [
        node("Transpose", "x", outputs=("t",), perm=[2, 0, 1, 3]),
        node("Reshape", "t", "shape", outputs=("r",)),
        node("Relu", "r", outputs=("s",)),
        node("Transpose", "s", outputs=("u",), perm=[1, 0, 2]),
        node("Reshape", "u", "back"),
    ]
    constants = {"shape": integers(*fixed) if batch == 2 else integers(6, -1, 8), "back": integers(-1, 3, 6, 8)}
    check_model(write_model(tmp_path, nodes, constants, batch=batch))


@pytest.mark.parametrize("batch", ["batch", 1])
def test_shape_chain_of_the_batch(tmp_path: Path, batch: int | str) -> None:
    """Shape -> Gather -> Concat -> Reshape is worked out when the file is read and leaves no trace in the graph."""
    nodes = [
        node("Shape", "x", outputs=("s",)),
        node("Gather", "s", "zero", outputs=("n",)),
        node("Unsqueeze", "n", "axes", outputs=("n1",)),
        node("Concat", "n1", "rest", outputs=("target",), axis=0),
        node("Reshape", "x", "target"),
    ]
    constants = {"zero": np.int64(0), "axes": integers(0), "rest": integers(-1)}
    path = write_model(tmp_path, nodes, {key: np.asarray(value) for key, value in constants.items()}, batch=batch)
    network = check_model(path)

    assert [step.module for step in network.steps] == ["the_Reshape"]
    assert isinstance(network.the_Reshape, nn.Flatten)


def test_part_of_a_shape(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", outputs=("head",), end=2),
        node("Shape", "x", outputs=("width",), start=-1),
        node("Concat", "head", "rest", "width", outputs=("target",), axis=0),
        node("Reshape", "x", "target"),
    ]
    check_model(write_model(tmp_path, nodes, {"rest": integers(2, 3)}))


@pytest.mark.parametrize("batch", ["batch", 1])
def test_a_row_repeated_for_every_image(tmp_path: Path, batch: int | str) -> None:
    """A class token: a constant expanded to the batch and joined to the rest."""
    nodes = [
        node("Shape", "x", outputs=("n",), end=1),
        node("Concat", "n", "rest", outputs=("target",), axis=0),
        node("Expand", "token", "target", outputs=("tokens",)),
        node("Concat", "tokens", "x", "token" if batch == 1 else "tokens", outputs=("c",), axis=1),
        node("Mul", "c", "tokens"),
    ]
    constants = {"rest": integers(1, 6, 8), "token": floats(1, 1, 6, 8)}
    check_model(write_model(tmp_path, nodes, constants, batch=batch))


def test_zeros_for_every_image(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", outputs=("shape",)),
        node("ConstantOfShape", "shape", outputs=("zeros",), value=numpy_helper.from_array(np.zeros(1, np.float32))),
        node("Concat", "x", "zeros", axis=1),
    ]
    check_model(write_model(tmp_path, nodes))


@pytest.mark.parametrize("batch", ["batch", 2])
@pytest.mark.parametrize("target", [(1, 3, 6, 8), (1, 1, 3, 6, 8), (3, 6, 1)])
def test_expand(tmp_path: Path, batch: int | str, target: tuple[int, ...]) -> None:
    nodes = [
        node("ReduceMean", "x", "axes", outputs=("m",)),
        node("Expand", "m", "target", outputs=("e",)),
        node("Reshape", "e", "back"),
    ]
    back = (-1, *np.broadcast_shapes(target, (1, 3, 6, 1))[-3:])
    constants = {"axes": integers(3), "target": integers(*target), "back": integers(*back)}
    check_model(write_model(tmp_path, nodes, constants, batch=batch))


@pytest.mark.parametrize("batch", ["batch", 1, 2])
def test_rows_that_are_folded_behind_other_axes(tmp_path: Path, batch: int | str) -> None:
    """That is how multi-head attention is exported: positions, then images, in one axis for the projection."""
    count = -1 if batch == "batch" else batch
    nodes = [
        node("Transpose", "x", outputs=("t",), perm=[1, 0, 2]),
        node("Reshape", "t", "folded", outputs=("f",)),
        node("Gemm", "f", "w", outputs=("g",)),
        node("Reshape", "g", "unfolded", outputs=("u",)),
        node("Transpose", "u", perm=[1, 0, 2]),
    ]
    constants = {
        "folded": integers(-1 if batch == "batch" else 6 * batch, 8),
        "unfolded": integers(6, count, 5),
        "w": floats(8, 5),
    }
    check_program(tmp_path, nodes, constants, (6, 8), 13, batch)
