"""Measure how fast a converted network is, by each backend, beside the ANN in each runtime."""

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.provenance import environment
from seenn_convert.choices import COUNT, Backend
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.devices import check_device
from seenn_convert.errors import InputError, SeennConvertError, refuse
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.onnx.ann import ann_logits, write_ann, write_int8_ann
from seenn_convert.ir.interpreter import device_of
from seenn_convert.ir.program import Program
from seenn_convert.ir.state import rows_together
from seenn_convert.measure.bench import Logits, Ways, measured
from seenn_convert.measure.speed import Speed
from seenn_convert.progress import Progress, silent
from seenn_convert.runtime.backends.backend import Backend as Running
from seenn_convert.runtime.backends.cache import cache_folder
from seenn_convert.runtime.backends.compiled import in_parts, rows_compiled, settled
from seenn_convert.runtime.backends.graphs import CompiledGraph
from seenn_convert.workflows.convert.inputs import Model
from seenn_convert.workflows.other_ann import other_ann
from seenn_convert.workflows.runnable import backend_of

BATCHES = (1, 64, 256)
BACKENDS: tuple[Backend, ...] = ("eager", "onnxruntime")
"""What is measured by default."""


def bench(
    artifact: Artifact | Path | str,
    data: SampleData | None = None,
    against: Program | Model | None = None,
    *,
    backends: Sequence[Backend] = BACKENDS,
    batches: Sequence[int] = BATCHES,
    images: int = 256,
    singles: int = 100,
    rounds: int = 3,
    threads: int | None = None,
    device: torch.device | str = "cpu",
    weights: Path | str | None = None,
    output_name: str | None = None,
    others: Mapping[str, Logits] | None = None,
    progress: Progress = silent,
) -> Speed:
    """Return how fast ``artifact`` is beside its ANN, everything measured in turn in one run.

    The ANN runs in every runtime of ``backends``, in onnxruntime in single precision and in 8 bits (static
    quantisation, calibrated on the same images).

    Args:
        artifact: What ``convert`` made, or its folder.
        data: Images as ``convert`` takes them, best with labels; without any they are made up, and exits mean nothing.
        against: The ANN to compare with; the artifact's own if None.
        backends: ``"eager"``, ``"compiled"``, ``"onnxruntime"``.
        batches: Batch sizes; 1 measures latency.
        images: How many images run in batches, at most.
        singles: How many run one at a time.
        rounds: How often everything runs; the median counts.
        threads: Of PyTorch and onnxruntime; as they are if None.
        device: Where PyTorch runs.
        weights: State of that ANN's module, if it is given by a factory.
        output_name: Which of that ANN's outputs are its logits, if it has several.
        others: Name -> a function of preprocessed images that returns logits; it is measured as well.
        progress: Told about each batch size.

    Raises:
        InputError: A number is out of range, the data or the model do not fit, or no backend can run the network.
    """
    _check(batches, backends, images=images, singles=singles, rounds=rounds, **{"threads": threads} if threads else {})
    check_device(device)
    artifact = as_artifact(artifact)
    advice = "give the model that it was converted from"
    ann = artifact.reference if against is None else other_ann(against, artifact, advice, weights, output_name)
    found, labels = _images(artifact, data, images, progress)
    with _threads(threads), tempfile.TemporaryDirectory() as folder:
        left_out: dict[str, str] = {}
        spiking = _spiking(artifact, backends, batches, device, left_out, progress)
        rivals = {} if ann is None else _rivals(ann, backends, batches, found, Path(folder), device, left_out)
        ways = Ways(spiking, rivals, partial(rows_together, artifact.snn), others or {})
        timed, answers, arrivals = measured(ways, found, labels, batches, rounds, singles, progress)
        return Speed(
            network=artifact.provenance.model.name, timesteps=artifact.timesteps, images=len(found),
            made_up=data is None, threads=torch.get_num_threads(), rounds=rounds, arrivals=arrivals, timed=timed,
            answers=answers, left_out=left_out, environment=environment(),
        )  # fmt: skip


def _check(batches: Sequence[int], backends: Sequence[Backend], **numbers: int) -> None:
    refuse([
        *(problem for size in batches for problem in COUNT.problems("a batch size", size)),
        *(problem for name, value in numbers.items() for problem in COUNT.problems(f"the number of {name}", value)),
        *([] if batches else ["there is no batch size to measure"]),
        *(["'auto' measures the other backends and is none to measure; name them"] if "auto" in backends else []),
    ])  # fmt: skip


def _images(artifact: Artifact, data: SampleData | None, most: int, progress: Progress) -> tuple[Tensor, Tensor | None]:
    """Return preprocessed images in single precision, and their labels where they are known."""
    shape = artifact.snn.input_shape
    if data is None:
        return made_up_images(shape, artifact.preprocessing, most), None
    samples = as_samples(data, artifact.preprocessing, progress=progress, input_shape=shape)
    count = min(most, len(samples))
    images = torch.cat([image for image, _ in samples.batches(count, range(count))]).float()
    return images, None if samples.labels is None else torch.as_tensor(samples.labels)[:count]


@contextmanager
def _threads(threads: int | None) -> Iterator[None]:
    """Let PyTorch, and what asks it, use so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _spiking(
    artifact: Artifact, backends: Sequence[Backend], batches: Sequence[int], device: torch.device | str,
    left_out: dict[str, str], progress: Progress,
) -> dict[str, Running]:  # fmt: skip
    """Return what can run the network, prepared; the others are told."""
    found: dict[str, Running] = {}
    for name in backends:
        try:
            backend = backend_of(artifact, artifact.model().to(device), name, progress)
            for size in batches:
                backend.model(1 if size == 1 else rows_together(artifact.snn, size))
            found[name] = backend
        except SeennConvertError as error:
            left_out[f"spiking {name}"] = str(error).splitlines()[0]
    if not found:
        raise InputError(f"no backend runs the network: {'; '.join(left_out.values())}")
    return found


def _rivals(
    ann: Program, backends: Sequence[Backend], batches: Sequence[int], images: Tensor, folder: Path,
    device: torch.device | str, left_out: dict[str, str],
) -> dict[str, Callable[[int], Logits]]:  # fmt: skip
    """Return the ANN in each runtime; what cannot run is told."""
    ann = replace(ann, graph_module=copy.deepcopy(ann.graph_module).to(device))
    parts = torch.split(images, 64)
    makers: dict[str, Callable[[], Callable[[int], Logits]]] = {
        "eager": lambda: lambda size: lambda image: ann(image.to(device)).cpu(),
        "compiled": lambda: {size: _compiled_ann(ann, size) for size in batches}.__getitem__,
        "onnxruntime": lambda: _any_size(ann_logits(write_ann(ann, folder))),
        "onnxruntime int8": lambda: _any_size(ann_logits(write_int8_ann(write_ann(ann, folder), parts))),
    }
    found = {}
    for name in [name for name in makers if name == "eager" or name.split()[0] in backends]:
        try:
            found[name] = makers[name]()
        except SeennConvertError as error:
            left_out[f"ANN {name}"] = str(error).splitlines()[0]
    return found


def _any_size(run: Logits) -> Callable[[int], Logits]:
    return lambda size: run


def _compiled_ann(ann: Program, size: int) -> Logits:
    """Return the ANN compiled for a batch size."""
    rows = rows_compiled(size)
    image = settled(torch.zeros(rows, *ann.input_shape, device=device_of(ann.graph_module)))
    run = CompiledGraph(ann.graph_module, [image], cache_folder() / "compiled").run()
    return lambda images: in_parts(run, [images.to(image.device)], rows)[0].cpu()
