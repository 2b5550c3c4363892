"""Classify images or other samples with a converted network: what each is, how sure, and when the network stopped."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.data.readers.image_files import list_images
from seenn_convert.data.readers.open import is_data_file
from seenn_convert.data.samples import Samples
from seenn_convert.data.wanted import Wanted
from seenn_convert.devices import check_device
from seenn_convert.errors import InputError
from seenn_convert.ir.scores import confidence
from seenn_convert.ir.state import rows_together
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.rows import ROW_FLOOR
from seenn_convert.runtime.early_exit import run_early_exit

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True)
class Prediction:
    """What the network says about one image.

    Attributes:
        path: The file, with what is no text replaced; for samples without files of their own the name of the file and
            the number of the sample, from 0: ``x.npz[3]``, or ``[3]`` from memory.
        label: Class index.
        class_name: Its name, None where the artifact knows none.
        confidence: Largest softmax probability at the exit, with the temperature of that timestep.
        timestep: When the network stopped, 1 after the first.
    """

    path: str
    label: int
    class_name: str | None
    confidence: float
    timestep: int


def predict(
    artifact: Artifact,
    images: Sequence[Path | str] | SampleData,
    batch_size: int = 128,
    device: str = "cpu",
    progress: Progress = silent,
) -> list[Prediction]:
    """Return what the network says about each image, in the order given, with the artifact's preprocessing.

    A single image runs alone, as fast as it can; among others it runs in a batch of at least 16 rows, whose kernels may
    round differently.

    Args:
        artifact: What ``convert`` made.
        images: Image files, and folders whose images at any depth are taken; or one of them, or other data as
            ``convert`` takes it, such as an ``.npz`` file or a tensor. Labels are ignored.
        batch_size: Images that run together.
        device: Where to run.
        progress: Told about the images done.

    Raises:
        InputError: An image is missing, unreadable, or of a size that the model does not take; or no such device.
    """
    check_device(device)
    data = _open(images, artifact, progress)
    model = artifact.model().to(device)
    capacity = rows_together(artifact.snn, batch_size)
    counter = Counter(progress, "predicting", len(data))
    with torch.no_grad():
        trace = run_early_exit(
            model,
            (image for image, _ in data.batches(capacity)),
            min(capacity, len(data)),
            row_floor=1 if len(data) == 1 else ROW_FLOOR,
            progress=counter.add,
        )
    temperatures = model.probe.temperatures.cpu()
    temperatures = temperatures[(trace.exit_step.cpu() - 1).clamp(max=len(temperatures) - 1)]
    sure = confidence(trace.logits.cpu(), temperatures.unsqueeze(-1)).tolist()
    names = getattr(data, "paths", None) or [f"{_file_name(images)}[{index}]" for index in range(len(data))]
    texts = (os.fsencode(name).decode("utf-8", "replace") for name in names)
    labels, classes = trace.predictions.tolist(), artifact.class_names
    said = [None if classes is None else classes[label] for label in labels]
    found = zip(texts, labels, said, sure, trace.exit_step.tolist(), strict=True)
    return [Prediction(*facts) for facts in found]


def _open(images: Sequence[Path | str] | SampleData, artifact: Artifact, progress: Progress) -> Samples:
    """Return the images as samples; the first is read to see whether it fits."""
    shape = artifact.snn.input_shape
    paths = _paths(images)
    if paths is None or (len(paths) == 1 and _is_data(paths[0])):
        given: Any = images if paths is None else paths[0]
        data = as_samples(given, artifact.preprocessing, progress=progress, input_shape=shape)
        check_shape(data, shape)
        return data
    many = next((path for path in paths if _is_data(path)), None)
    if many is not None:
        raise InputError(f"{many}: holds samples of its own and goes alone; predict it apart from other files")
    return _open_images(paths, artifact)


def _open_images(paths: Sequence[Path], artifact: Artifact) -> Dataset:
    shape, preprocessing = artifact.snn.input_shape, artifact.preprocessing
    data = Dataset.of(list_images(paths, Wanted.by(preprocessing.layout, shape, None)), preprocessing)
    if data.image_shape != shape:
        assert data.paths is not None
        raise InputError(
            f"{data.paths[0]}: is {_size(data.image_shape, preprocessing)} pixels for the model, which takes "
            f"{_size(shape, preprocessing)}; give --resize and --crop to 'convert', or images of that size"
        )
    return data


def _paths(images: object) -> list[Path] | None:
    """Return the paths that are given, None if something else is."""
    if isinstance(images, (str, Path)):
        return [Path(images)]
    if isinstance(images, (list, tuple)) and all(isinstance(one, (str, Path)) for one in images):
        return [Path(one) for one in images]
    return None


def _file_name(images: object) -> str:
    return str(images[0] if isinstance(images, (list, tuple)) else images) if _paths(images) else ""


def _is_data(path: Path) -> bool:
    return is_data_file(path) and not path.is_dir()


def _size(shape: tuple[int, ...], preprocessing: Preprocessing) -> str:
    """Return the height and width in an image's shape as text."""
    sizes = {"channels_first": shape[1:], "channels_last": shape[:-1]}.get(preprocessing.layout, shape)
    return " x ".join(map(str, sizes))
