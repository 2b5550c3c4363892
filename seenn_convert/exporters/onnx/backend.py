"""The backend ``onnxruntime``: an artifact is exported to a folder of this process, and run from there."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.errors import InputError
from seenn_convert.exporters.exporter import Exporter, check_exportable
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.onnx.loop import OnnxLoopExporter, loop_network
from seenn_convert.exporters.onnx.sessions import onnx_network
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.exporters.verification import ROWS, compared_steps
from seenn_convert.finite import check_images_finite, check_logits_finite
from seenn_convert.runtime.early_exit import ExitTrace, run_early_exit
from seenn_convert.runtime.fresh_rows import check_numbers

MOST_IN_LOOP = 2
"""Images of a call that run in the one-file loop. Rows that have left run on in it until all have: for four images of a
ResNet-20 that costs more than our scheduler does."""


@dataclass(frozen=True, eq=False)
class OnnxBackend:
    """Runs the exported step with our scheduler, and one or two images in one file with the time loop inside.

    Both files are made when they are first needed. The step is compared with the network on made-up images, and a
    result that rounding does not explain is an error.

    Attributes:
        artifact: The network.
    """

    artifact: Artifact

    name = "onnxruntime"

    def model(self, rows: int) -> ExportedNetwork:
        """Return the network, which runs any number of rows."""
        return self.network

    def run(
        self, batches: Iterable[Tensor], rows: int, images: int, progress: Callable[[int], None] | None = None
    ) -> ExitTrace:
        """Run images with early exit; rows have the same bits alone and in a batch, so none are added."""
        if images > MOST_IN_LOOP:
            return run_early_exit(self.network, batches, max(1, min(rows, images)), row_floor=1, progress=progress)
        image = torch.cat([batches] if isinstance(batches, Tensor) else list(batches))
        check_numbers(image)
        check_images_finite(image, range(len(image)))
        trace = self.answers(image.float().contiguous())
        check_logits_finite(trace.logits, range(len(image)))
        if progress is not None:
            progress(len(image))
        return trace

    @cached_property
    def network(self) -> ExportedNetwork:
        """The exported stem, step and policy head."""
        with _exported(OnnxExporter(), self.artifact) as folder:
            network = onnx_network(folder)
        images = made_up_images(self.artifact.snn.input_shape, self.artifact.preprocessing, ROWS[-1])
        with torch.no_grad():
            compared_steps(self.artifact.model("float32"), network, images)
        return network

    @cached_property
    def answers(self) -> Callable[[Tensor], ExitTrace]:
        """The one-file loop: images in, answers out."""
        with _exported(OnnxLoopExporter(), self.artifact) as folder:
            return loop_network(folder)


@contextmanager
def _exported(exporter: Exporter, artifact: Artifact) -> Iterator[Path]:
    """Write an artifact into a temporary folder; onnxruntime keeps nothing in the files that it has loaded."""
    check_exportable(exporter, artifact)
    with tempfile.TemporaryDirectory() as folder:
        exporter.write(artifact, Path(folder))
        yield Path(folder)


def check_cpu(device: torch.device | str) -> None:
    """Raise InputError unless ``device`` is the CPU."""
    if torch.device(device).type != "cpu":
        raise InputError(f"onnxruntime and exports run on the CPU, not on {device}; leave out --device, or --backend")
