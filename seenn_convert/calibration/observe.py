"""Run an ANN program on batches and hand the input of every activation to its statistics."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import CalibrationDataError
from seenn_convert.ir.interpreter import Call, Inputs, Interpreter, device_of
from seenn_convert.ir.operators import SPIKING_OPERATORS, Encode
from seenn_convert.ir.program import Program
from seenn_convert.rows import pad_rows


def observe(program: Program, batches: Iterable[Tensor]) -> tuple[dict[str, ActivationStatistics], int]:
    """Return the statistics of each activation's input, by node name, and the number of images.

    Where graded values of either sign become spikes, the statistics are of their magnitude.
    Memory does not grow with the data: each value is dropped after its last use. The program is of stage ANN, in the
    form in which neurons will be inserted.

    Raises:
        CalibrationDataError: No image, a wrong shape, or a value that is not finite.
    """
    statistics: dict[str, ActivationStatistics] = {}
    images = 0
    with torch.no_grad():
        for batch in batches:
            check_images(batch, program.input_shape, range(images, images + len(batch)))
            if batch.shape[0] == 0:
                continue
            rows = pad_rows(batch.to(device_of(program.graph_module), program.input_dtype))
            Interpreter(program.graph_module, _update(statistics, batch.shape[0])).run(rows)
            images += batch.shape[0]
    if images == 0:
        raise CalibrationDataError("the calibration data has no images; give at least a few dozen")
    return statistics, images


def check_images(batch: Tensor, input_shape: tuple[int, ...], numbers: Sequence[int]) -> None:
    """Raise CalibrationDataError unless ``batch`` is ``(B, *input_shape)`` and finite; ``numbers`` names its rows."""
    if tuple(batch.shape[1:]) != input_shape:
        raise CalibrationDataError(
            f"images have shape {tuple(batch.shape[1:])}, the model takes {input_shape}; resize or crop them"
        )
    if not bool(torch.isfinite(batch).all()):
        finite = torch.isfinite(batch).flatten(1).all(dim=1)
        raise CalibrationDataError(f"image {numbers[int((~finite).nonzero()[0])]} holds NaN or infinity; remove it")


def _update(statistics: dict[str, ActivationStatistics], count: int) -> Call:
    """Return what updates the statistics of every activation on the way, by the first ``count`` rows of its input."""

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        if isinstance(module, SPIKING_OPERATORS):
            values: Tensor = inputs[0]
            if not bool(torch.isfinite(values.sum())):  # one cheap pass; a sum hides no NaN and no infinity
                raise CalibrationDataError(f"{node.name}: the model's own activations are NaN or infinite on this data")
            if node.name not in statistics:
                statistics[node.name] = ActivationStatistics.empty(values.shape[1])
            values = values[:count]
            statistics[node.name].update(values.abs() if isinstance(module, Encode) else values)
        return module(*inputs)

    return call
