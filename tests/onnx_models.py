"""Small ONNX files, and what every one of them must satisfy: the same numbers as onnxruntime, for any batch."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper

from seenn_convert.errors import UnsupportedOperatorError
from seenn_convert.frontend.load import read_model
from seenn_convert.frontend.onnx.parity import check_against_onnxruntime
from seenn_convert.frontend.onnx.reader import OnnxNetwork, read_onnx

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
    output: str = "y",
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *image])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
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


def check_program(
    folder: Path,
    nodes: list[NodeProto],
    constants: dict[str, Array] | None = None,
    image: tuple[int, ...] = IMAGE,
    opset: int = 20,
    batch: int | str = "batch",
) -> None:
    """Write a file whose result "y" becomes logits, and go all the way to a program, for several batch sizes."""
    flat = helper.make_node("Flatten", ["y"], ["logits"], name="flat", axis=1)
    path = write_model(folder, [*nodes, flat], constants, image, opset, batch, output="logits")
    source = read_model(path)
    for count in (3, 1):
        assert source.check(torch.randn(count, *image)) <= 1e-4
