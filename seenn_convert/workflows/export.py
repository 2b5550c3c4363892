"""Export an artifact to files that another runtime runs, and run them at once beside the network."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact, as_artifact
from seenn_convert.artifact.files import folder_named, replaced_folder, write_json
from seenn_convert.choices import COUNT, EXPORT_PRECISION_NAMES, ExportPrecision, Reader, Target, unknown
from seenn_convert.data.adapters import SampleData, as_samples
from seenn_convert.errors import InputError, refuse
from seenn_convert.exporters.document import DOCUMENT, VERIFICATION
from seenn_convert.exporters.eight_bits import Rounding
from seenn_convert.exporters.exporter import Exporter, Verification, check_exportable
from seenn_convert.exporters.made_up import made_up_images
from seenn_convert.exporters.onnx.loop import OnnxLoopExporter
from seenn_convert.exporters.onnx.split import OnnxExporter
from seenn_convert.exporters.targets import exporter_of
from seenn_convert.progress import Progress, silent
from seenn_convert.workflows.eight_bits import in_eight_bits

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
        rounding: What weights in 8 bits changed; None if they are in single precision.
    """

    folder: Path
    target: str
    verification: Verification | None
    rounding: Rounding | None = None


def export(
    artifact: Artifact | Path | str,
    to: Target | Exporter = "onnx",
    output: Path | str = "exported",
    data: SampleData | None = None,
    *,
    reader: Reader | None = None,
    images: int = IMAGES,
    verify: bool = True,
    precision: ExportPrecision = "float32",
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
        precision: ``"int8"`` rounds weights to 8 bits with a scale for each output channel, for ``onnx`` and
            ``onnx-loop``. Exits and certificate are then fitted again to the ``data``, which must have calibrated
            nothing; without any the exits stay and the certificate goes. What was written is compared with the rounded
            network, and that with the network as it was: ``Export.rounding``.
        progress: Told about each stage.

    Raises:
        ExportError: The target cannot express the network, and every node is listed; or the export differs from it.
        InputError: There is no such target or reader, the images do not fit, or the folder cannot be written.
    """
    problems = COUNT.problems("the number of images to run", images)
    refuse([*problems, *unknown("precision", precision, EXPORT_PRECISION_NAMES)])
    artifact, exporter, folder = as_artifact(artifact), exporter_of(to, reader), folder_named(output)
    check_exportable(exporter, artifact)
    rounding = None
    if precision == "int8":
        exporter = _taking_int8(exporter)
        artifact, rounding = in_eight_bits(artifact, data, progress)
        exporter = replace(exporter, rounding=rounding)
    run = _images(artifact, data, images, progress) if verify else None
    with replaced_folder(folder, DOCUMENT) as fresh:
        progress(f"writing {exporter.name}", 0, 1)
        exporter.write(artifact, fresh)
        found = None if run is None else _verified(exporter, fresh, artifact, run, data is None, progress)
    return Export(folder, exporter.name, found, rounding)


def _taking_int8(exporter: Exporter) -> OnnxExporter | OnnxLoopExporter:
    if not isinstance(exporter, (OnnxExporter, OnnxLoopExporter)):
        raise InputError(
            f"weights in 8 bits are not written for {exporter.name}; use --to onnx or onnx-loop, or leave out "
            "--precision (precision)"
        )
    return exporter


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
