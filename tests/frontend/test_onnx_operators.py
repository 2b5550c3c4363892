"""Every ONNX operator that can be read computes what onnxruntime computes, also after torch.export, for any batch."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.onnx_parity import check_against_onnxruntime
from seenn_convert.frontend.onnx_reader import OnnxNetwork, read_onnx

Array = npt.NDArray[Any]
IMAGE = (3, 6, 8)


def floats(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def integers(*numbers: int) -> Array:
    return np.array(numbers, dtype=np.int64)


def node(op_type: str, *inputs: str, outputs: tuple[str, ...] = ("y",), **attributes: Any) -> NodeProto:
    name = f"the_{op_type}" if "y" in outputs else f"the_{op_type}_{outputs[0]}"  # onnxruntime wants unique names
    return helper.make_node(op_type, list(inputs), list(outputs), name=name, **attributes)


def write_model(
    folder: Path,
    nodes: list[NodeProto],
    constants: dict[str, Array] | None = None,
    image: tuple[int, ...] = IMAGE,
    opset: int = 20,
    batch: int | str = "batch",
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *image])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    # Up to IR version 3 every constant had to be listed among the inputs as well.
    model = helper.make_model(graph, opset_imports=opsets, ir_version=max(helper.find_min_ir_version_for(opsets), 4))
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def check_model(path: Path, image: tuple[int, ...] = IMAGE) -> OnnxNetwork:
    """Read a file, compare with onnxruntime, export with an open batch and compare again on another batch size."""
    torch.manual_seed(0)
    network = read_onnx(path)
    images = torch.randn(3, *image)
    check_against_onnxruntime(path, network, images, 1e-5)
    dynamic = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(network, (images,), dynamic_shapes=dynamic, strict=False)
    check_against_onnxruntime(path, exported.module(), torch.randn(4, *image), 1e-5)
    return network


def refusal(path: Path) -> str:
    with pytest.raises(UnsupportedOperatorError) as caught:
        read_onnx(path)
    return "\n".join(caught.value.problems)


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
        (
            [node("Slice", "x", "s", "e", "a", "t")],
            dict(s=integers(-1), e=integers(-9), a=integers(3), t=integers(-1)),
            20,
            "step -1",
        ),
        ([node("Slice", "x", "s", "e")], dict(s=integers(1), e=integers(2)), 20, "cuts the batch"),
        ([node("ReduceMean", "x", keepdims=0)], {}, 20, "across the images"),
        ([node("Softmax", "x", axis=0)], {}, 20, "across the images"),
        ([node("Concat", "x", "x", axis=0)], {}, 20, "different batches"),
        ([node("Pad", "x", "p", mode="wrap")], dict(p=integers(0, 0, 0, 1, 0, 0, 0, 1)), 20, "mode 'wrap'"),
        ([node("Pad", "x", "p")], dict(p=integers(1, 0, 0, 0, 0, 0, 0, 0)), 20, "pads the batch"),
        ([node("Resize", "x", "", "s", mode="cubic")], dict(s=np.ones(4, np.float32)), 20, "mode 'cubic'"),
        (
            [node("Resize", "x", "", "s", mode="linear", coordinate_transformation_mode="asymmetric")],
            dict(s=np.array([1, 1, 2, 2], np.float32)),
            20,
            "differs from F.interpolate",
        ),
        ([node("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, 20, "dilated average pool"),
        (
            [node("MaxPool", "x", outputs=("y", "i"), kernel_shape=[2, 2]), node("Relu", "i", outputs=("z",))],
            {},
            20,
            "",
        ),
        ([node("LRN", "x", size=4)], {}, 20, "size 4 is even"),
        ([node("Gemm", "x", "w", transA=1)], dict(w=floats(3, 3)), 20, "transA"),
        ([node("Cast", "x", to=TensorProto.INT64)], {}, 20, "only casts"),
        ([node("RandomNormalLike", "w", outputs=("r",)), node("Add", "x", "r")], dict(w=floats(3, 6, 8)), 20, "random"),
        ([node("BatchNormalization", "x", *"ssss", training_mode=1)], dict(s=floats(3)), 15, "training mode"),
        ([node("BatchNormalization", "x", *"ssss", outputs=("y", *"abcd"))], dict(s=floats(3)), 9, "training mode"),
        ([node("BatchNormalization", "x", *"ssss", spatial=0)], dict(s=floats(3, 6, 8)), 7, "per channel"),
        ([node("Reshape", "x", "s")], dict(s=integers(7, 11)), 20, "as many elements"),
        ([node("Add", "x", "w")], dict(w=floats(5, 1)), 20, "does not fit its inputs"),
    ],
)
def test_refusals_say_why(
    tmp_path: Path, nodes: list[NodeProto], constants: dict[str, Array], opset: int, expected: str
) -> None:
    said = refusal(write_model(tmp_path, nodes, constants, opset=opset))

    assert expected in said and said.startswith("node 'the_") and f"opset {opset})" in said
