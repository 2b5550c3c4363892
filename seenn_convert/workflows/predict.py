"""Classify image files with a converted network: what each is, how sure that is, and when the network stopped."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.data.dataset import Dataset
from seenn_convert.data.readers.image_files import list_images
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
        path: The file, with what is no text replaced.
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
    images: Sequence[Path | str] | Path | str,
    batch_size: int = 128,
    device: str = "cpu",
    progress: Progress = silent,
) -> list[Prediction]:
    """Return what the network says about each image, in the order given, with the artifact's preprocessing.

    A single image runs alone, as fast as it can; among others it runs in a batch of at least 16 rows, whose kernels may
    round differently.

    Args:
        artifact: What ``convert`` made.
        images: Image files, and folders whose images at any depth are taken; or one of them.
        batch_size: Images that run together.
        device: Where to run.
        progress: Told about the images done.

    Raises:
        InputError: An image is missing, unreadable, or of a size that the model does not take; or no such device.
    """
    check_device(device)
    paths = [images] if isinstance(images, (str, Path)) else images
    data = _open([Path(path) for path in paths], artifact)
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
    assert data.paths is not None
    texts = (os.fsencode(path).decode("utf-8", "replace") for path in data.paths)
    labels, names = trace.predictions.tolist(), artifact.class_names
    said = [None if names is None else names[label] for label in labels]
    found = zip(texts, labels, said, sure, trace.exit_step.tolist(), strict=True)
    return [Prediction(*facts) for facts in found]


def _open(paths: Sequence[Path], artifact: Artifact) -> Dataset:
    """Return the images as a data set; the first is read to see whether it fits."""
    shape = artifact.snn.input_shape
    if len(shape) != 3:
        raise InputError(f"the model takes inputs of shape {shape}, which image files are not; evaluate an .npz file")
    source = list_images(paths, shape[0])
    data = Dataset.of(source, artifact.preprocessing)
    if data.image_shape != shape:
        assert source.paths is not None
        raise InputError(
            f"{source.paths[0]}: is {' x '.join(map(str, data.image_shape[1:]))} pixels for the model, which takes "
            f"{' x '.join(map(str, shape[1:]))}; give --resize and --crop to 'convert', or images of that size"
        )
    return data
