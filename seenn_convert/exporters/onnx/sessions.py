"""Run ONNX files with onnxruntime on tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.document import AGAIN, DOCUMENT, read_document, read_starts
from seenn_convert.exporters.network import ExportedNetwork, Graph

RUNTIME = f"onnxruntime {onnxruntime.__version__}"


def session_of(file: Path) -> Any:
    """Return a session for a file, with as many threads as PyTorch has.

    Raises:
        ExportError: onnxruntime cannot load it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no class of their own
        raise ExportError(f"{RUNTIME} cannot load {file} ({reason_of(error)}); {AGAIN}") from error


def runner(file: Path, expected: Sequence[str] | None = None) -> Graph:
    """Return what runs a file: tensors in, in the order of its inputs, tensors out.

    Raises:
        ExportError: onnxruntime cannot load it, or its inputs are not called as ``expected``.
    """
    session = session_of(file)
    names = [one.name for one in session.get_inputs()]
    if expected is not None and names != list(expected):
        raise ExportError(f"{file} takes other inputs than {DOCUMENT} says; {AGAIN}")

    def run(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        given = {name: value.detach().contiguous().numpy() for name, value in zip(names, inputs, strict=True)}
        return tuple(torch.from_numpy(result) for result in session.run(None, given))

    return run


def onnx_network(folder: Path) -> ExportedNetwork:
    """Return the network in the folder that the target ``onnx`` wrote.

    Raises:
        ArtifactError: The folder is no export, or was changed.
        ExportError: It was written for another target, or onnxruntime cannot load it.
    """
    document = read_document(folder)
    if document.target != "onnx":
        raise ExportError(f"{folder} is an export to {document.target}; this needs one to onnx (export --to onnx)")
    image, drives = [document.input.name], [one.name for one in document.drives]
    states = [one.name for one in document.states]
    stem, step = runner(folder / "stem.onnx", image), runner(folder / "step.onnx", [*drives, *states])
    planning = image if document.plan_inputs == "image" else drives
    head = None if document.plan_inputs is None else runner(folder / "policy.onnx", planning)
    return ExportedNetwork(document, read_starts(document, folder), stem, step, head)
