"""Comparisons, logic, choices and casts of ONNX files: read as onnxruntime computes them, a ReLU where they make one."""

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper
from onnx_models import Array, check_program, floats, node, write_model
from torch import nn

from seenn_convert.frontend.load import read_model
from seenn_convert.ir.operators import ClippedReLU

NUMBERS: dict[str, Array] = {
    "half": np.float32(0.5), "zero": np.float32(0), "row": floats(3, 1, 8), "six": np.float32(6), "yes": np.array(True),
    "mask": floats(6, 8) > 0,
}  # fmt: skip


def as_float(*nodes: NodeProto) -> list[NodeProto]:
    """Return nodes whose last result, truth values "t", becomes numbers."""
    return [*nodes, node("Cast", "t", to=TensorProto.FLOAT)]


@pytest.mark.parametrize("operands", [("x", "half"), ("half", "x"), ("x", "row"), ("x", "r")])
@pytest.mark.parametrize("operator", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
def test_comparisons(tmp_path: Path, operator: str, operands: tuple[str, str]) -> None:
    """Where the result is equal to both sides, as behind a ReLU, ``>`` and ``>=`` differ."""
    nodes = [
        node("Clip", "x", "", "half", outputs=("c",)),
        node("Relu", "c", outputs=("r",)),
        node(operator, *("c" if name == "x" else name for name in operands), outputs=("t",)),
    ]
    check_program(tmp_path, as_float(*nodes), NUMBERS, opset=16)


@pytest.mark.parametrize("operator", ["And", "Or", "Xor"])
@pytest.mark.parametrize("second", ["less", "mask", "yes"])
def test_logic(tmp_path: Path, operator: str, second: str) -> None:
    nodes = [
        node("Greater", "x", "half", outputs=("greater",)),
        node("Less", "x", "row", outputs=("less",)),
        node(operator, "greater", second, outputs=("found",)),
        node("Not", "found", outputs=("t",)),
    ]
    check_program(tmp_path, as_float(*nodes), NUMBERS, opset=9)


@pytest.mark.parametrize("attributes", [{}, {"detect_negative": 0}, {"detect_positive": 0}])
def test_numbers_that_are_not_finite(tmp_path: Path, attributes: dict[str, int]) -> None:
    nodes = [
        node("Div", "x", "r", outputs=("d",)),  # infinite where x is negative
        node("IsNaN", "d", outputs=("n",)),
        node("IsInf", "d", outputs=("i",), **attributes),
        node("Or", "n", "i", outputs=("b",)),
        node("Where", "b", "half", "d"),
    ]
    ahead = [node("Relu", "x", outputs=("r",))]
    if attributes:  # what remains infinite is no number to compare
        nodes[-1:] = as_float(node("Not", "b", outputs=("t",)))
    check_program(tmp_path, [*ahead, *nodes], NUMBERS, opset=20)


@pytest.mark.parametrize("branches", [("x", "half"), ("row", "x"), ("half", "zero"), ("x", "r"), ("row", "zero")])
def test_choices(tmp_path: Path, branches: tuple[str, str]) -> None:
    nodes = [
        node("Neg", "x", outputs=("r",)),
        node("Greater", "x", "row", outputs=("c",)),
        node("Where", "c", *branches),
    ]
    check_program(tmp_path, nodes, NUMBERS, opset=9)


@pytest.mark.parametrize("kind", [TensorProto.BOOL, TensorProto.INT32, TensorProto.INT64])
def test_casts_there_and_back(tmp_path: Path, kind: int) -> None:
    nodes = [
        node("Mul", "x", "six", outputs=("m",)),
        node("Relu", "m", outputs=("r",)),
        node("Cast", "r", outputs=("i",), to=kind),
        node("Cast", "i", outputs=("f",), to=TensorProto.FLOAT),
        node("Add", "f", "x"),
    ]
    check_program(tmp_path, nodes, NUMBERS)


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        ([node("Greater", "c", "zero", outputs=("t",)), node("Where", "t", "c", "zero")], nn.ReLU),
        (
            [
                node("Less", "c", "zero", outputs=("t",)),
                node("Not", "t", outputs=("u",)),
                node("Cast", "u", outputs=("v",), to=TensorProto.FLOAT),
                node("Mul", "c", "v"),
            ],
            nn.ReLU,
        ),
        (
            [
                node("Relu", "c", outputs=("r",)),
                node("Greater", "c", "six", outputs=("t",)),
                node("Where", "t", "six", "r"),
            ],
            ClippedReLU,
        ),
    ],
)
def test_a_choice_that_makes_an_activation_is_one(tmp_path: Path, nodes: list[NodeProto], kind: type[nn.Module]) -> None:
    """So that it becomes neurons, as the same network does that PyTorch exports."""
    ahead, behind = node("Conv", "x", "w", outputs=("c",)), helper.make_node("Flatten", ["y"], ["logits"])
    constants = {**NUMBERS, "w": floats(3, 3, 1, 1)}
    program = read_model(write_model(tmp_path, [ahead, *nodes, behind], constants, output="logits")).program

    assert [type(module) for _, module in program.calls()][-2] is kind
