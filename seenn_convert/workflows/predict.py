"""Classify images or other samples with a converted network: what each is, how sure, and when the network stopped."""

import os
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.choices import Backend
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.data.checks import check_shape
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.preprocessing import ImageLayout
from seenn_convert.data.readers.class_folders import first_suffix
from seenn_convert.data.readers.event_folder import EVENT_SUFFIXES, list_events
from seenn_convert.data.readers.image_files import list_images
from seenn_convert.data.readers.image_folder import IMAGE_SUFFIXES
from seenn_convert.data.readers.open import is_data_file
from seenn_convert.data.samples import Samples
from seenn_convert.data.wanted import Wanted
from seenn_convert.errors import InputError
from seenn_convert.measure.reliability import exit_confidence
from seenn_convert.progress import Counter, Progress, silent
from seenn_convert.workflows.runnable import Runnable, runnable

__all__ = ["Prediction", "predict"]

Pictures: TypeAlias = SampleData | Sequence[Path | str] | Image.Image
"""Everything that ``predict`` takes."""


@dataclass(frozen=True)
class Prediction:
    """What the network says about one image.

    Attributes:
        path: The file, with what is no text replaced; the number of a sample that has no file of its own, from 0.
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
    artifact: Artifact | Runnable | Path | str,
    images: Pictures,
    batch_size: int = 128,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
    backend: Backend | None = None,
) -> list[Prediction]:
    """Return what the network says about each image, in the order given, with the artifact's preprocessing.

    A single image runs alone, as fast as it can; among others it runs in a batch of at least 16 rows, whose kernels may
    round differently.

    Args:
        artifact: What ``convert`` made, or its folder, or a folder that ``export`` wrote.
        images: Image files, and folders whose images at any depth are taken, or one of them; or one ``.npz`` or IDX
            file; or images in memory, one or several: tensors, arrays, PIL images, and whatever else ``as_samples``
            takes. Pixels (``uint8``, PIL) are preprocessed, floating-point images are preprocessed already. Labels are
            not read.
        batch_size: Images that run together.
        device: Where to run.
        progress: Told about the images done.
        backend: What runs the network, as ``runnable`` takes it: PyTorch, or the runtime of an export, where None. For
            several calls, give what ``runnable`` returned as the artifact: it is prepared once.

    Raises:
        InputError: An image is missing, unreadable, or of a size that the model does not take; or no such device.
    """
    network = runnable(artifact, backend, device, progress)
    data = opened(images, network, progress)
    capacity = network.rows_together(batch_size)
    counter = Counter(progress, "predicting", len(data))
    with torch.no_grad():
        trace = network.backend.run((image for image, _ in data.batches(capacity)), capacity, len(data), counter.add)
    sure = exit_confidence(trace, network.temperatures).tolist()
    labels, names = trace.predictions.tolist(), network.class_names
    said = [None if names is None else names[label] for label in labels]
    found = zip(_places(data), labels, said, sure, trace.exit_step.tolist(), strict=True)
    return [Prediction(*facts) for facts in found]


def opened(images: Pictures, network: Runnable, progress: Progress = silent) -> Samples:
    """Return what ``predict`` takes as samples that fit the network.

    Raises:
        InputError: As ``predict``.
    """
    wanted = _wanted(network)
    if isinstance(images, (str, Path)):
        images = [images]
    if isinstance(images, Image.Image):
        images = [images]
    elif isinstance(images, (Iterator, Set)) or (isinstance(images, np.ndarray) and images.dtype.kind in "UO"):
        images = list(images)
    if isinstance(images, (tuple, list)) and all(isinstance(one, (str, Path)) for one in images):
        paths = [Path(one) for one in images]
        many = [path for path in paths if is_data_file(path) and not path.is_dir()]
        if not many:
            return _open(paths, network)
        if len(paths) > 1:
            raise InputError(f"{many[0]}: holds samples of its own and goes alone; predict it apart from other files")
        images = paths[0]
    if isinstance(images, tuple) and not _is_labelled(images, wanted):
        images = list(images)
    if isinstance(images, (Tensor, np.ndarray)) and _is_single(images, wanted):
        images = images[None]
    data = as_samples(images, network.preprocessing, progress=progress, input_shape=wanted.shape)
    check_shape(data, network.input_shape)
    return data


def _places(data: Samples) -> list[str]:
    """Return the file of each image, with what is no text replaced, or its number."""
    paths = data.paths if isinstance(data, Dataset) else None
    if paths is None:
        return [str(number) for number in range(len(data))]
    return [os.fsencode(path).decode("utf-8", "replace") for path in paths]


def _is_labelled(images: tuple[Any, ...], wanted: Wanted) -> bool:
    """Return whether a tuple is a pair of images and their labels, not several images."""
    if len(images) != 2 or np.ndim(images[1]) != 1 or len(images[1]) != len(images[0]):
        return False
    return not (isinstance(images[0], (Tensor, np.ndarray)) and _is_single(images[0], wanted))


def _wanted(network: Runnable) -> Wanted:
    return Wanted.by(network.preprocessing, network.input_shape)


def _is_single(image: Tensor | NDArray[Any], wanted: Wanted) -> bool:
    """Return whether numbers are one image and not a batch; one grey image of pixels may lack its channel."""
    rank = len(wanted.shape or ())
    if image.ndim == rank == 3 and str(image.dtype).removeprefix("torch.") == "uint8":
        return wanted.channels in (image.shape[0], image.shape[-1])  # else they are grey ones, (N, H, W)
    return image.ndim <= rank


def _open(paths: Sequence[Path], network: Runnable) -> Dataset:
    """Return image files as a data set; the first is read to see whether it fits."""
    shape, layout = network.input_shape, network.preprocessing.layout
    events = any(path.suffix.lower() in EVENT_SUFFIXES or _holds_events(path) for path in paths)
    data = Dataset.of((list_events if events else list_images)(paths, _wanted(network)), network.preprocessing)
    if data.image_shape != shape:
        assert data.paths is not None
        found, wanted = (_size(one, layout) for one in (data.image_shape, shape))
        raise InputError(
            f"{data.paths[0]}: is {found} pixels for the model, which takes {wanted}; give --resize and --crop to "
            "'convert', or images of that size"
        )
    return data


def _holds_events(path: Path) -> bool:
    return path.is_dir() and first_suffix(path, (*IMAGE_SUFFIXES, *EVENT_SUFFIXES)) in EVENT_SUFFIXES


def _size(shape: tuple[int, ...], layout: ImageLayout) -> str:
    """Return the height and width in an image's shape as text."""
    sizes = {"channels_first": shape[1:], "channels_last": shape[:-1]}.get(layout, shape)
    return " x ".join(map(str, sizes))
