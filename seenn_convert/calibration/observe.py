"""Run an ANN program on batches and hand the input of every activation to its statistics."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, fx

from seenn_convert.calibration.statistics import ActivationStatistics
from seenn_convert.errors import CalibrationDataError
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.operators import SPIKING_OPERATORS, Encode
from seenn_convert.ir.program import Program
from seenn_convert.rows import pad_rows


def observe(program: Program, batches: Iterable[Tensor]) -> tuple[dict[str, ActivationStatistics], int]:
    """Return the statistics of each activation's input, by node name, and the number of images.

    Where graded values of either sign become spikes, the statistics are of their magnitude.
    Memory does not grow with the data: each value is dropped after its last use.

    Args:
        program: Of stage ANN, in the form in which neurons will be inserted.
        batches: Images ``(B, *input_shape)``.

    Raises:
        CalibrationDataError: No image, a wrong shape, or a value that is not finite.
    """
    observer = _Observer(program)
    images = 0
    with torch.no_grad():
        for batch in batches:
            check_images(batch, program.input_shape, range(images, images + len(batch)))
            if batch.shape[0] == 0:
                continue
            observer.count = batch.shape[0]
            observer.run(pad_rows(batch.to(device_of(program.graph_module), program.input_dtype)))
            images += batch.shape[0]
    if images == 0:
        raise CalibrationDataError("the calibration data has no images; give at least a few dozen")
    return observer.statistics, images


def check_images(batch: Tensor, input_shape: tuple[int, ...], numbers: Sequence[int]) -> None:
    """Raise CalibrationDataError unless ``batch`` is ``(B, *input_shape)`` and finite; ``numbers`` names its rows."""
    if tuple(batch.shape[1:]) != input_shape:
        raise CalibrationDataError(
            f"images have shape {tuple(batch.shape[1:])}, the model takes {input_shape}; resize or crop them"
        )
    if not bool(torch.isfinite(batch).all()):
        finite = torch.isfinite(batch).flatten(1).all(dim=1)
        raise CalibrationDataError(f"image {numbers[int((~finite).nonzero()[0])]} holds NaN or infinity; remove it")


class _Observer(fx.Interpreter):
    """Runs the graph and updates the statistics of every activation on the way, by the first ``count`` rows."""

    def __init__(self, program: Program) -> None:
        super().__init__(program.graph_module)
        self.activations = {node.name: m for node, m in program.calls() if isinstance(m, SPIKING_OPERATORS)}
        self.statistics: dict[str, ActivationStatistics] = {}
        self.count = 0

    def run_node(self, n: fx.Node) -> object:
        if n.name in self.activations:
            values: Tensor = self.env[n.all_input_nodes[0]]
            if not bool(torch.isfinite(values.sum())):  # one cheap pass; a sum hides no NaN and no infinity
                raise CalibrationDataError(f"{n.name}: the model's own activations are NaN or infinite on this data")
            if n.name not in self.statistics:
                self.statistics[n.name] = ActivationStatistics.empty(values.shape[1])
            values = values[: self.count]
            self.statistics[n.name].update(values.abs() if isinstance(self.activations[n.name], Encode) else values)
        return super().run_node(n)
