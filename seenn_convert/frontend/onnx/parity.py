"""Check that a network computes what onnxruntime computes from the file it was read from."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from google.protobuf.message import EncodeError
from torch import Tensor

from seenn_convert.errors import NOT_FINITE, InputError, PostconditionError, reason_of
from seenn_convert.finite import first_not_finite
from seenn_convert.frontend.onnx.preparation import prepare
from seenn_convert.frontend.onnx.reader import OnnxNetwork
from seenn_convert.ir.interpreter import magnitudes

_FATAL_ONLY = 4  # onnxruntime's logging levels: 3 is error, and errors are raised too
_NODE = re.compile(r"while running \w+ node\. Name:'([^']*)'")
Array = npt.NDArray[Any]


def check_against_onnxruntime(
    path: Path,
    network: Callable[[Tensor], Any],
    images: Tensor,
    tolerance: float = 1e-4,
    output_name: str | None = None,
) -> float:
    """Compare a network with onnxruntime on the CPU.

    Args:
        path: The ONNX file.
        network: What was made of it; maps images to a tensor, or to a tuple if the file has several outputs.
        images: ``(B, *F)``, any B, also where the file fixes the batch.
        tolerance: The largest relative error to accept.
        output_name: The output of the file that the network gives; None for all of them.

    Returns:
        The relative error: largest absolute difference / largest absolute reference, the worst of the outputs.

    Raises:
        InputError: If onnxruntime cannot run the file, or what it returns is not finite.
        PostconditionError: If the error is above the tolerance; names the first ONNX node that differs.
    """
    names = None if output_name is None else [output_name]
    expected = _run(_session(_runnable(path, output_name), path), images, path, names)
    floating = (torch.from_numpy(output) for output in expected if np.issubdtype(output.dtype, np.floating))
    rows = [row for output in floating if (row := first_not_finite(output)) is not None]
    if rows:
        raise InputError(f"{path}: {NOT_FINITE} (first at image {min(rows)})")
    with torch.no_grad():
        found = network(images)
    outputs = found if isinstance(found, tuple) else (found,)
    errors = [_relative_error(a.cpu().numpy(), b) for a, b in zip(outputs, expected, strict=True)]
    error = max(errors)
    if error <= tolerance:
        return error
    where = _first_difference(path, network, images, tolerance, output_name) if isinstance(network, OnnxNetwork) else ""
    raise PostconditionError(
        f"{path}: the network differs from onnxruntime by {error:.3g} (relative), above the tolerance {tolerance:.3g}"
        f"{where}; report the file"
    )


def _runnable(path: Path, output_name: str | None) -> str | bytes:
    """Return what onnxruntime is to run: the file, or its rewriting where that computes with other numbers."""
    prepared = prepare(path, output_name)
    if not prepared.is_changed:
        return str(path)
    try:
        content: bytes = prepared.model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise InputError(
            f"{path}: above 2 GiB in float32, so that it cannot be compared with onnxruntime; export it in float32 "
            "with external data"
        ) from error
    return content


def _session(model: str | bytes, path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = torch.get_num_threads()
    # Its constant folding drops unread outputs first, which turns an old batch norm in training mode into another one.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has one exception class per status code, without a public root
        raise InputError(f"{path}: onnxruntime cannot load it ({reason_of(error)}); check the file") from error


def _run(session: Any, images: Tensor, path: Path, names: Sequence[str] | None = None) -> list[Array]:
    """Run all images, in groups where the file fixes the batch; the last group is filled up with its last image."""
    image = session.get_inputs()[0]
    group = image.shape[0] if image.shape and isinstance(image.shape[0], int) and image.shape[0] > 0 else len(images)
    missing = -len(images) % group
    filled = np.concatenate([images.cpu().numpy(), np.repeat(images[-1:].cpu().numpy(), missing, axis=0)])
    try:
        runs = [_run_once(session, part, names) for part in np.split(filled, len(filled) // group)]
    except Exception as error:  # as above
        raise InputError(_failure(session, filled[:group], path, error)) from error
    return [
        np.concatenate(parts)[: len(images)] for parts in zip(*(map(np.atleast_1d, run) for run in runs), strict=True)
    ]


def _run_once(session: Any, images: Array, names: Sequence[str] | None = None) -> list[Array]:
    options = onnxruntime.RunOptions()
    options.log_severity_level = _FATAL_ONLY
    outputs: list[Array] = session.run(names, {session.get_inputs()[0].name: images}, options)
    return outputs


def _failure(session: Any, images: Array, path: Path, error: Exception) -> str:
    """Return a sentence about images that onnxruntime did not take; if it takes one of them, it is the batch size."""
    found = _NODE.search(str(error))
    where = f" at node '{found[1]}'" if found else ""
    try:
        _run_once(session, images[:1])
    except Exception:  # as above
        shape, reason = images.shape, reason_of(error)
        return f"{path}: onnxruntime cannot run it on images {shape}{where} ({reason}); check their shape"
    return f"{path}: its batch size is fixed inside the file{where}; export it with a dynamic batch"


def _relative_error(found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    wanted = expected.astype(np.float64)
    scale = magnitudes(torch.from_numpy(wanted)).numpy()
    error = float((np.abs(found.astype(np.float64) - wanted) / np.maximum(scale, np.finfo(np.float32).tiny)).max())
    return error if np.isfinite(error) else float("inf")


def _first_difference(
    path: Path, network: OnnxNetwork, images: Tensor, tolerance: float, output_name: str | None
) -> str:
    """Return a clause naming the first node whose output differs, or nothing if the file cannot be taken apart."""
    names = [name for step in network.steps for name in step.outputs]
    model = prepare(path, output_name).model
    known = {name for node in model.graph.node for name in node.output}
    names = [name for name in names if name in known]
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    try:
        session = _session(model.SerializeToString(), path)
        group = session.get_inputs()[0].shape[0]
        few = images[: group if isinstance(group, int) else 2]
        expected = dict(zip(names, _run(session, few, path), strict=True))
    except (InputError, ValueError):  # above 2 GiB, or a value onnxruntime does not hand out
        return ""
    values = {network.input_name: few}
    with torch.no_grad():
        for step in network.run_steps(values):
            for name in step.outputs:
                seen = name in values and name in expected
                if seen and _relative_error(values[name].numpy(), expected[name]) > tolerance:
                    return f"; the first node that differs is '{step.module}' (output '{name}')"
    return ""
