"""What classifies images with early exit: an artifact in PyTorch, or an export in the runtime of its target."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.files import folder_named
from seenn_convert.choices import Backend
from seenn_convert.data.checks import checked_names, classes_of
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.devices import check_device
from seenn_convert.errors import InputError
from seenn_convert.exporters.document import is_export, read_document
from seenn_convert.exporters.exporter import check_exportable
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.onnx.sessions import onnx_network
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.exporters.targets import exported_network
from seenn_convert.ir.state import numbers_in_a_row, rows_of_numbers
from seenn_convert.runtime.fresh_rows import Steppable

RUNTIMES = {"onnx": "onnxruntime", "pt2": "eager"}
"""Target -> the backend that runs it."""


@dataclass(frozen=True, eq=False)
class Runnable:
    """A network that is ready to run, and what its images and answers need.

    Attributes:
        model: Runs with early exit.
        preprocessing: From pixels to its input.
        input_shape: Shape of one image.
        classes: How many there are.
        class_names: Their names, None where they are not known.
        temperatures: ``(T,)``, the softmax temperature of each timestep.
        row_numbers: Numbers of state of one row.
    """

    model: Steppable
    preprocessing: Preprocessing
    input_shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...] | None
    temperatures: Tensor
    row_numbers: int

    @property
    def timesteps(self) -> int:
        """The longest run T."""
        return self.model.timesteps

    def with_classes(self, names: Sequence[str] | None) -> "Runnable":
        """Return the network with ``names`` for its outputs; as it is where they are None."""
        return self if names is None else replace(self, class_names=checked_names(names, self.classes))

    def rows_together(self, wanted: int) -> int:
        """Return how many rows to run together: ``wanted``, or fewer where their state is large."""
        return rows_of_numbers(self.row_numbers, self.model.device, wanted)


def runnable(
    network: "Artifact | Runnable | Path | str", backend: Backend | None = None, device: torch.device | str = "cpu"
) -> Runnable:
    """Return a network that is ready to run.

    Args:
        network: An artifact, its folder, or a folder that ``export`` wrote.
        backend: What runs it: ``"eager"`` is PyTorch; an artifact is exported for ``"onnxruntime"``. None is PyTorch
            for an artifact, and the runtime of its target for an export.
        device: Where to run; exports run on the CPU.

    Raises:
        InputError: There is no such device, or the backend does not run the export.
        ArtifactError: The folder is neither an artifact nor an export, or was changed.
        ExportError: The network cannot be exported.
    """
    if isinstance(network, Runnable):
        return network
    check_device(device)
    if isinstance(network, (Path, str)) and is_export(folder_named(network)):
        return _of_export(folder_named(network), backend, device)
    artifact = as_artifact(network)
    if backend == "onnxruntime":
        _check_cpu(device)
        exporter = OnnxExporter()
        check_exportable(exporter, artifact)
        with tempfile.TemporaryDirectory() as folder:
            exporter.write(artifact, Path(folder))
            return _of_network(onnx_network(Path(folder)))
    model = artifact.model().to(device)
    return Runnable(
        model,
        artifact.preprocessing,
        artifact.snn.input_shape,
        classes_of(artifact.snn),
        artifact.class_names,
        model.probe.temperatures,
        numbers_in_a_row(artifact.snn),
    )


def _of_export(folder: Path, backend: Backend | None, device: torch.device | str) -> Runnable:
    _check_cpu(device)
    target = read_document(folder).target
    runs = RUNTIMES.get(target)
    if backend is not None and runs is not None and backend != runs:
        raise InputError(f"{folder} is an export to {target}, which {backend} does not run; leave out --backend")
    return _of_network(exported_network(folder))


def _of_network(network: ExportedNetwork) -> Runnable:
    document = network.document
    classes = next(state.shape[0] for state in document.states if state.name == "readout")
    return Runnable(
        network,
        Preprocessing.from_json(document.preprocessing),
        document.input.shape,
        classes,
        document.class_names,
        torch.tensor(document.temperatures),
        max(1, sum(int(torch.Size(state.shape).numel()) for state in document.states)),
    )


def _check_cpu(device: torch.device | str) -> None:
    if torch.device(device).type != "cpu":
        raise InputError(f"an export runs on the CPU, not on {device}; leave out --device, or run the artifact")
