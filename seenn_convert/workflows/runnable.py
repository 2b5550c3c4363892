"""What classifies images with early exit: an artifact by one of the backends, or an export in its runtime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.files import folder_named
from seenn_convert.choices import Backend
from seenn_convert.data.checks import checked_names, classes_of
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.devices import check_device
from seenn_convert.errors import ExportError, InputError, reason_of
from seenn_convert.exporters.document import is_export, read_document
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.network import ExportedNetwork
from seenn_convert.exporters.onnx.backend import OnnxBackend, check_cpu
from seenn_convert.exporters.targets import exported_network
from seenn_convert.exporters.verification import ROWS, compared_steps
from seenn_convert.ir.state import numbers_in_a_row, rows_of_numbers
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.backends.auto import AutoBackend
from seenn_convert.runtime.backends.backend import Backend as Running
from seenn_convert.runtime.backends.backend import StepBackend
from seenn_convert.runtime.backends.compiled import CompiledBackend
from seenn_convert.runtime.fresh_rows import Steppable
from seenn_convert.runtime.spiking_model import SpikingModel

RUNTIMES = {"onnx": "onnxruntime", "pt2": "eager"}
"""Target -> the backend that runs it."""


@dataclass(frozen=True, eq=False)
class Runnable:
    """A network that is ready to run, and what its images and answers need.

    Attributes:
        backend: Runs it with early exit.
        timesteps: The longest run T.
        device: Where it runs.
        preprocessing: From pixels to its input.
        input_shape: Shape of one image.
        classes: How many there are.
        class_names: Their names, None where they are not known.
        temperatures: ``(T,)``, the softmax temperature of each timestep.
        row_numbers: Numbers of state of one row.
    """

    backend: Running
    timesteps: int
    device: torch.device
    preprocessing: Preprocessing
    input_shape: tuple[int, ...]
    classes: int
    class_names: tuple[str, ...] | None
    temperatures: Tensor
    row_numbers: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What the backend has to say: ``auto`` tells what it took, and why."""
        return tuple(self.backend.said) if isinstance(self.backend, AutoBackend) else ()

    def with_classes(self, names: Sequence[str] | None) -> "Runnable":
        """Return the network with ``names`` for its outputs; as it is where they are None."""
        return self if names is None else replace(self, class_names=checked_names(names, self.classes))

    def rows_together(self, wanted: int) -> int:
        """Return how many rows to run together: ``wanted``, or fewer where their state is large."""
        return rows_of_numbers(self.row_numbers, self.device, wanted)


def runnable(
    network: "Artifact | Runnable | Path | str",
    backend: Backend | None = None,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Runnable:
    """Return a network that is ready to run, for as many calls of ``predict`` as are to come.

    Args:
        network: An artifact, its folder, or a folder that ``export`` wrote.
        backend: What runs it. ``"eager"`` is PyTorch as it is. ``"compiled"`` is PyTorch with stem and step compiled,
            which takes minutes once and is kept for later processes. ``"onnxruntime"`` runs an export of the artifact,
            single images in one file that holds the time loop. ``"auto"`` is eager until there is enough work, then
            whichever is fastest when measured. None is eager for an artifact, and the runtime of its target for an
            export.
        device: Where to run; onnxruntime and exports run on the CPU.
        progress: Told before the network is compiled.

    Raises:
        InputError: There is no such device, or the backend does not run the export, or not on the device.
        ArtifactError: The folder is neither an artifact nor an export, or was changed.
    """
    if isinstance(network, Runnable):
        return network
    check_device(device)
    if isinstance(network, (Path, str)) and is_export(folder_named(network)):
        return _of_export(folder_named(network), backend, device)
    artifact = as_artifact(network)
    model = artifact.model().to(device)
    return Runnable(
        backend_of(artifact, model, backend or "eager", progress),
        artifact.timesteps,
        model.device,
        artifact.preprocessing,
        artifact.snn.input_shape,
        classes_of(artifact.snn),
        artifact.class_names,
        model.probe.temperatures,
        numbers_in_a_row(artifact.snn),
    )


def backend_of(artifact: Artifact, model: SpikingModel, backend: Backend, progress: Progress = silent) -> Running:
    """Return what runs an artifact, whose ``model`` is where it is to run.

    Raises:
        InputError: The backend does not run on the device of the model.
    """
    compiled = CompiledBackend(model, partial(_check_compiled, artifact), progress=progress)
    if backend == "eager":
        return StepBackend(model)
    if backend == "compiled":
        return compiled
    if backend == "onnxruntime":
        return _onnx_backend(artifact, model)
    others: dict[str, Callable[[], Running]] = {
        "onnxruntime": partial(_onnx_backend, artifact, model),
        "compiled": lambda: compiled,
    }
    return AutoBackend(StepBackend(model), others, artifact.timesteps)


def _onnx_backend(artifact: Artifact, model: SpikingModel) -> OnnxBackend:
    check_cpu(model.device)
    return OnnxBackend(artifact)


def _check_compiled(artifact: Artifact, model: SpikingModel, compiled: Steppable) -> None:
    """Compare the timesteps of a compiled network with the original's on made-up images."""
    images = made_up_images(artifact.snn.input_shape, artifact.preprocessing, ROWS[-1])
    try:
        with torch.no_grad():
            compared_steps(model, compiled, images.to(model.device, model.dtype))
    except ExportError as error:
        raise ExportError(
            f"the compiled network computes something else ({reason_of(error).partition(';')[0]}); please report it, "
            "and use --backend eager"
        ) from error


def _of_export(folder: Path, backend: Backend | None, device: torch.device | str) -> Runnable:
    check_cpu(device)
    target = read_document(folder).target
    runs = RUNTIMES.get(target)
    if backend not in (None, "auto", runs) and runs is not None:
        raise InputError(f"{folder} is an export to {target}, which {backend} does not run; leave out --backend")
    return _of_network(exported_network(folder), runs or target)


def _of_network(network: ExportedNetwork, name: str) -> Runnable:
    document = network.document
    classes = next(state.shape[0] for state in document.states if state.name == "readout")
    return Runnable(
        StepBackend(network, name),
        network.timesteps,
        network.device,
        Preprocessing.from_json(document.preprocessing),
        document.input.shape,
        classes,
        document.class_names,
        torch.tensor(document.temperatures),
        max(1, sum(int(torch.Size(state.shape).numel()) for state in document.states)),
    )
