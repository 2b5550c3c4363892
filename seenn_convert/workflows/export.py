"""Export an artifact to files that another runtime runs, and run them at once beside the network."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.files import folder_named, replaced_folder, write_json
from seenn_convert.choices import COUNT, Reader, Target
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.errors import refuse
from seenn_convert.exporters.document import DOCUMENT, VERIFICATION
from seenn_convert.exporters.exporter import Exporter, Verification, check_exportable
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.targets import exporter_of
from seenn_convert.progress import Progress, silent

IMAGES = 256
"""Images that an export is run on at most by default."""

MADE_UP = 64
"""Images that are made up where none are given."""


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        folder: Where.
        target: For which runtime.
        verification: How it compares with the network; None where it was not run.
    """

    folder: Path
    target: str
    verification: Verification | None


def export(
    artifact: Artifact | Path | str,
    to: Target | Exporter = "onnx",
    output: Path | str = "exported",
    data: SampleData | None = None,
    *,
    reader: Reader | None = None,
    images: int = IMAGES,
    verify: bool = True,
    progress: Progress = silent,
) -> Export:
    """Write ``artifact`` for another runtime, and run what was written beside it.

    Nothing is written if the target cannot express the network, or what was written computes something else.

    Args:
        artifact: What ``convert`` made, or its folder.
        to: ``"onnx"``, ``"onnx-loop"``, ``"pt2"``, ``"nir"``, or an exporter of your own.
        output: Folder to write; an earlier export there is replaced.
        data: Images to run, as ``convert`` takes them; without any, images are made up.
        reader: For which reader of NIR the file is written, with ``to="nir"`` only; ``"primitives"`` if None.
        images: How many of them run at most.
        verify: Whether to run what was written.
        progress: Told about each stage.

    Raises:
        ExportError: The target cannot express the network, and every node is listed; or the export differs from it.
        InputError: There is no such target or reader, the images do not fit, or the folder cannot be written.
    """
    refuse(COUNT.problems("the number of images to run", images))
    artifact, exporter, folder = as_artifact(artifact), exporter_of(to, reader), folder_named(output)
    check_exportable(exporter, artifact)
    run = _images(artifact, data, images, progress) if verify else None
    with replaced_folder(folder, DOCUMENT) as fresh:
        progress(f"writing {exporter.name}", 0, 1)
        exporter.write(artifact, fresh)
        found = None if run is None else _verified(exporter, fresh, artifact, run, data is None, progress)
    return Export(folder, exporter.name, found)


def _verified(
    exporter: Exporter, folder: Path, artifact: Artifact, images: Tensor, made_up: bool, progress: Progress
) -> Verification:
    progress("running the export", 0, 1)
    found = replace(exporter.verify(folder, artifact, images), made_up=made_up)
    write_json(folder / VERIFICATION, found)
    return found


def _images(artifact: Artifact, data: SampleData | None, most: int, progress: Progress) -> Tensor:
    """Return preprocessed images to run, in single precision."""
    shape = artifact.snn.input_shape
    if data is None:
        return made_up_images(shape, artifact.preprocessing, min(most, MADE_UP))
    samples = as_samples(data, artifact.preprocessing, progress=progress, input_shape=shape)
    count = min(most, len(samples))
    batches = samples.batches(count, range(count))
    return torch.cat([image for image, _ in batches]).float()
