"""Run ONNX files with onnxruntime on tensors."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from seenn_convert.errors import ExportError, reason_of
from seenn_convert.exporters.document import AGAIN, DOCUMENT, read_document, read_starts
from seenn_convert.exporters.network import ExportedNetwork, Graph

RUNTIME = f"onnxruntime {onnxruntime.__version__}"

NUMBERS: Mapping[torch.dtype, Any] = {
    torch.float32: np.float32, torch.float64: np.float64, torch.int64: np.int64, torch.bool: np.bool_,
    torch.uint8: np.uint8,
}  # fmt: skip
KINDS = {
    "tensor(float)": torch.float32, "tensor(double)": torch.float64, "tensor(int64)": torch.int64,
    "tensor(bool)": torch.bool, "tensor(uint8)": torch.uint8,
}  # fmt: skip
"""Types of numbers of PyTorch, as numpy and as onnxruntime call them."""


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
    """Return what runs a file: tensors in, in the order of its inputs, tensors out; their memory is used as it is.

    Raises:
        ExportError: onnxruntime cannot load it, or its inputs are not called as ``expected``.
    """
    session = session_of(file)
    names = [one.name for one in session.get_inputs()]
    if expected is not None and names != list(expected):
        raise ExportError(f"{file} takes other inputs than {DOCUMENT} says; {AGAIN}")
    results = [(one.name, tuple(one.shape[1:]), KINDS[one.type]) for one in session.get_outputs()]

    def run(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        binding, given = session.io_binding(), [value.detach().contiguous() for value in inputs]
        for name, value in zip(names, given, strict=True):
            binding.bind_input(name, "cpu", 0, NUMBERS[value.dtype], tuple(value.shape), value.data_ptr())
        found = [torch.empty(len(given[0]), *row, dtype=kind) for _, row, kind in results]
        for (name, _, kind), value in zip(results, found, strict=True):
            binding.bind_output(name, "cpu", 0, NUMBERS[kind], tuple(value.shape), value.data_ptr())
        session.run_with_iobinding(binding)
        return tuple(found)

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
