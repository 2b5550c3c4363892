"""The ANN in onnxruntime: in single precision, and in 8 bits, calibrated on images."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.exporter import refuse_nodes
from seenn_convert.exporters.onnx.graph import made_graph, made_model, value_info
from seenn_convert.exporters.onnx.sessions import runner
from seenn_convert.exporters.onnx.split import part_of, save_model
from seenn_convert.exporters.onnx.translate import Translator
from seenn_convert.ir.program import IMAGE, Program

FLOAT, INT8 = "ann.onnx", "ann_int8.onnx"


def write_ann(ann: Program, folder: Path) -> Path:
    """Write the ANN in single precision into a folder, and return the file.

    Raises:
        ExportError: ONNX cannot express it; every node is listed.
    """
    image = torch.zeros(2, *ann.input_shape)
    part, _ = part_of(Translator({}), ann.graph_module, (image,), (IMAGE,), ("logits",))
    refuse_nodes("onnx", part.refusals)
    inputs, outputs = ([value_info(value) for value in values] for values in (part.inputs, part.outputs))
    save_model(made_model(made_graph(part.graph, "ann", inputs, outputs), {}), folder / FLOAT)
    return folder / FLOAT


def write_int8_ann(file: Path, images: Sequence[Tensor]) -> Path:
    """Write an ANN in 8 bits beside its ``file``, and return the new file.

    Weights and activations are quantised by onnxruntime (QDQ, a scale for each channel of weights, ranges of
    activations from the least and largest value on batches of preprocessed ``images``).

    Raises:
        ExportError: onnxruntime cannot quantise it.
    """
    target, prepared = file.with_name(INT8), file.with_name(f"prepared_{INT8}")
    try:
        quant_pre_process(os.fspath(file), os.fspath(prepared), skip_symbolic_shape=True)
        quantize_static(
            os.fspath(prepared), os.fspath(target), _Reader(images), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
    except Exception as error:  # its errors share no class of their own
        raise ExportError(f"onnxruntime cannot quantise the ANN ({reason_of(error)})") from error
    return target


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands out batches of images."""

    def __init__(self, images: Sequence[Tensor]) -> None:
        self.batches = iter(images)

    def get_next(self) -> dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"] | None:
        """Return the next batch, None at the end."""
        batch = next(self.batches, None)
        return None if batch is None else {IMAGE: batch.float().contiguous().numpy()}


def ann_logits(file: Path) -> Callable[[Tensor], Tensor]:
    """Return the ANN in a file as a function of preprocessed images."""
    run = runner(file, [IMAGE])
    return lambda images: run((images.float(),))[0]
