"""Activation functions and arithmetic of ONNX files, in their old and new forms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import Array, check_model, check_program, floats, integers, node, write_model
from torch import nn

from seenn_convert.frontend.load import read_model


@pytest.mark.parametrize(
    ("operator", "attributes", "kind"),
    [
        ("Relu", {}, nn.ReLU),
        ("Sigmoid", {}, nn.Sigmoid),
        ("Tanh", {}, nn.Tanh),
        ("HardSwish", {}, nn.Hardswish),
        ("HardSigmoid", {"alpha": 1 / 6}, nn.Hardsigmoid),
        ("HardSigmoid", {"alpha": 0.3}, nn.Sequential),
        ("LeakyRelu", {"alpha": 0.2}, nn.LeakyReLU),
        ("Elu", {"alpha": 0.5}, nn.ELU),
        ("Selu", {}, nn.SELU),
        ("Selu", {"alpha": 1.0, "gamma": 2.0}, nn.Sequential),
        ("Softplus", {}, nn.Softplus),
        ("Gelu", {}, nn.GELU),
        ("Gelu", {"approximate": "tanh"}, nn.GELU),
        ("Mish", {}, nn.Mish),
        ("Dropout", {}, nn.Identity),
        ("Identity", {}, nn.Identity),
        ("Erf", {}, nn.Module),
        ("Exp", {}, nn.Module),
        ("Neg", {}, nn.Module),
        ("Abs", {}, nn.Module),
        ("Reciprocal", {}, nn.Module),
        ("Cast", {"to": TensorProto.FLOAT}, nn.Identity),
    ],
)
def test_functions_of_one_input(
    tmp_path: Path, operator: str, attributes: dict[str, Any], kind: type[nn.Module]
) -> None:
    network = check_model(write_model(tmp_path, [node(operator, "x", **attributes)]))

    assert isinstance(network.get_submodule(f"the_{operator}"), kind)


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        (0.0, 6.0, nn.ReLU6),
        (0.0, None, nn.ReLU),
        (-0.5, 0.7, nn.Module),
        (None, 1.0, nn.Module),
        (None, None, nn.Identity),
    ],
)
def test_clip(tmp_path: Path, opset: int, low: float | None, high: float | None, kind: type[nn.Module]) -> None:
    bounds = {name: bound for name, bound in (("min", low), ("max", high)) if bound is not None}
    inputs = ["min" if low is not None else "", "max" if high is not None else ""]
    by_input = node("Clip", "x", *inputs)
    by_attribute = node("Clip", "x", **bounds)
    constants = {name: np.float32(bound) for name, bound in bounds.items()} if opset >= 11 else {}
    path = write_model(tmp_path, [by_input if opset >= 11 else by_attribute], constants, opset=opset)

    assert isinstance(check_model(path).the_Clip, kind)


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("constant", [np.float32(1.5), floats(3, 1, 1), floats(1, 3, 1, 1)])
def test_arithmetic_with_a_constant(tmp_path: Path, operator: str, constant: Array) -> None:
    """On either side; both results are joined by a third operator over two inputs."""
    nodes = [
        node("Abs", "x", outputs=("p",)),
        node("Add", "p", "one", outputs=("q",)),
        node(operator, "q", "c", outputs=("a",)),
        node(operator, "c", "q", outputs=("b",)),
        node(operator, "a", "b", outputs=("d",)),
        node("Sum", "a", "b", "d", "c"),
    ]
    check_model(write_model(tmp_path, nodes, {"c": constant, "one": np.float32(2)}))


def test_powers_and_roots(tmp_path: Path) -> None:
    nodes = [
        node("Pow", "x", "two", outputs=("a",)),
        node("Sqrt", "a", outputs=("b",)),
        node("Pow", "half", "b"),
    ]
    check_model(write_model(tmp_path, nodes, {"two": np.float32(2), "half": np.float32(0.5)}))


FUNCTIONS = ["Acosh", "Asinh", "Atan", "Ceil", "Cos", "Cosh", "Floor", "Log", "Round", "Sign", "Sin", "Sinh"]


@pytest.mark.parametrize("operator", FUNCTIONS)
def test_functions_of_numbers(tmp_path: Path, operator: str) -> None:
    nodes = [node("Exp", "x", outputs=("e",)), node("Add", "e", "one", outputs=("p",)), node(operator, "p")]
    check_program(tmp_path, nodes, {"one": np.float32(1)}, opset=11)


@pytest.mark.parametrize("operator", ["Acos", "Asin", "Atanh", "Tan"])
def test_functions_of_small_numbers(tmp_path: Path, operator: str) -> None:
    nodes = [node("Tanh", "x", outputs=("t",)), node("Mul", "t", "most", outputs=("p",)), node(operator, "p")]
    check_program(tmp_path, nodes, {"most": np.float32(0.9)}, opset=9)


@pytest.mark.parametrize(
    ("operator", "attributes", "opset"),
    [
        ("Celu", {"alpha": 0.3}, 12),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, 7),
        ("Shrink", {"lambd": 0.3, "bias": 0.1}, 9),
        ("Shrink", {"lambd": 0.3}, 13),
        ("Softsign", {}, 7),
        ("ThresholdedRelu", {"alpha": 0.3}, 10),
        ("ThresholdedRelu", {"alpha": 0.0}, 10),
        ("Swish", {"alpha": 0.5}, 24),
        ("Dropout", {"ratio": 0.5}, 7),
    ],
)
def test_activations_with_options(tmp_path: Path, operator: str, attributes: dict[str, Any], opset: int) -> None:
    check_program(tmp_path, [node(operator, "x", **attributes)], opset=opset)


@pytest.mark.parametrize("operator", ["Sum", "Mean", "Min", "Max"])
@pytest.mark.parametrize("inputs", [["x"], ["x", "channel"], ["number", "channel", "r", "x"], ["r", "number"]])
@pytest.mark.parametrize("opset", [8, 13])
def test_operators_over_any_number_of_inputs(tmp_path: Path, operator: str, inputs: list[str], opset: int) -> None:
    constants = {"channel": floats(3, 1, 1), "number": np.float32(0.2)}
    check_program(tmp_path, [node("Neg", "x", outputs=("r",)), node(operator, *inputs)], constants, opset=opset)


def test_the_larger_of_a_number_and_zero_is_a_relu(tmp_path: Path) -> None:
    """So that it becomes a neuron."""
    nodes = [node("Max", "zero", "x"), helper.make_node("Flatten", ["y"], ["logits"])]
    program = read_model(write_model(tmp_path, nodes, {"zero": np.float32(0)}, opset=8, output="logits")).program

    assert any(isinstance(module, nn.ReLU) for _, module in program.calls())


@pytest.mark.parametrize("shape", [(1,), (3, 1, 1), (1, 3, 1, 1), (8,), (3, 6, 8), (1, 6, 1)])
def test_slopes_of_any_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    check_program(tmp_path, [node("PRelu", "x", "s")], {"s": floats(*shape)}, opset=9)


@pytest.mark.parametrize("branches", [("x", "number"), ("row", "x"), ("x", "r")])
def test_where_with_a_constant_condition(tmp_path: Path, branches: tuple[str, str]) -> None:
    constants = {"mask": floats(6, 8) > 0, "number": np.float32(0.5), "row": floats(3, 1, 8)}
    check_program(tmp_path, [node("Neg", "x", outputs=("r",)), node("Where", "mask", *branches)], constants, opset=9)


def test_remainders_powers_and_casts(tmp_path: Path) -> None:
    nodes = [
        node("Mod", "x", "number", outputs=("m",), fmod=1),
        node("Pow", "m", "two", outputs=("p",)),
        node("Cast", "p", outputs=("f",), to=TensorProto.FLOAT),
        node("CastLike", "f", "number"),
    ]
    check_program(tmp_path, nodes, {"number": np.float32(0.7), "two": integers(2)}, opset=15)
