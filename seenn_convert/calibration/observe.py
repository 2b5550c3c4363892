"""Run an ANN program on batches and hand the input of every activation to its statistics."""

from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor, fx, nn

from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import CalibrationDataError
from seenn_convert.finite import OVERFLOW, check_images_finite, check_logits_finite, first_not_finite
from seenn_convert.ir.interpreter import Call, Inputs, Interpreter, device_of
from seenn_convert.ir.operators import SPIKING_OPERATORS, Encode
from seenn_convert.ir.program import Program
from seenn_convert.rows import pad_rows


def observe(
    program: Program, batches: Iterable[Tensor], numbers: Sequence[int] | None = None
) -> tuple[dict[str, ActivationStatistics], int]:
    """Return the statistics of each activation's input, by node name, and the number of images.

    Where graded values of either sign become spikes, the statistics are of their magnitude.
    Memory does not grow with the data: each value is dropped after its last use. The program is of stage ANN, in the
    form in which neurons will be inserted. ``numbers`` names the images, which are counted from 0 if it is not given.

    Raises:
        CalibrationDataError: No image, a wrong shape, or a value that is not finite.
    """
    statistics: dict[str, ActivationStatistics] = {}
    images, named = 0, count() if numbers is None else iter(numbers)
    with torch.no_grad():
        for batch in batches:
            rows_named = list(islice(named, len(batch)))
            check_images(batch, program.input_shape, rows_named)
            if batch.shape[0] == 0:
                continue
            rows = pad_rows(batch.to(device_of(program.graph_module), program.input_dtype))
            logits = Interpreter(program.graph_module, _update(statistics, rows_named)).run(rows)
            check_logits_finite(logits, rows_named, "the model's own logits", CalibrationDataError)
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
    check_images_finite(batch, numbers, CalibrationDataError)


def _update(statistics: dict[str, ActivationStatistics], numbers: Sequence[int]) -> Call:
    """Return what updates the statistics of every activation on the way, by the rows of its input that have numbers."""

    def call(node: fx.Node, module: nn.Module, inputs: Inputs) -> Any:
        if isinstance(module, SPIKING_OPERATORS):
            values: Tensor = inputs[0]
            row = first_not_finite(values[: len(numbers)])
            if row is not None:
                raise CalibrationDataError(
                    f"image {numbers[row]}: the model's own activations {OVERFLOW} (first at {node.name})"
                )
            if node.name not in statistics:
                statistics[node.name] = ActivationStatistics.empty(values.shape[1])
            values = values[: len(numbers)]
            statistics[node.name].update(values.abs() if isinstance(module, Encode) else values)
        return module(*inputs)

    return call
