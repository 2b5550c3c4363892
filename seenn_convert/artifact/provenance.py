"""Where a converted network comes from: model, calibration data, options and environment, with hashes."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from seenn_convert.artifact.files import sha256_of
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import Caution, DataFacts, Environment, WarningCode
from seenn_convert.data.samples import Samples, draw_of
from seenn_convert.frontend.source import Source

PACKAGES = ("seenn_convert", "torch", "onnx", "onnxruntime", "numpy", "safetensors")


def model_provenance(source: Source) -> ModelOrigin:
    """Return name, format and hash of the file that the model was read from, which output, and how it was read."""
    digest = sha256_of(source.path) if source.path is not None else None
    return ModelOrigin(
        name=source.name, format=source.format, sha256=digest, output_name=source.output_name, notes=source.notes
    )


def data_facts(data: Samples) -> DataFacts:
    """Return name, number and fingerprint of the images of ``data``."""
    return DataFacts(name=Path(data.name).name, images=len(data), fingerprint=data.fingerprint(), drawn=draw_of(data))


def reused(
    calibration: DataFacts | None,
    policy: DataFacts | None,
    data: Samples,
    fingerprint: str,
    validation: DataFacts | None = None,
) -> list[Caution]:
    """Return a warning for each use that the images of ``data``, whose ``fingerprint`` is given, were put to before.

    They may have been the ``calibration`` or ``validation`` images, or those of a ``policy`` head, as far as these are
    known.
    """
    warnings = []
    uses: tuple[tuple[WarningCode, DataFacts | None, str], ...] = (
        ("calibration_images", calibration, "calibration images"),
        ("validation_images", validation, "exit images"),
        ("policy_images", policy, "images of the policy head"),
    )
    for code, known, name in uses:
        if known is not None and is_among(data, fingerprint, known):
            warnings.append(Caution(code, _reused_words(known, name, fingerprint)))
    return warnings


def _reused_words(known: DataFacts, name: str, fingerprint: str) -> str:
    if known.fingerprint == fingerprint:
        return f"these are the {name}: the figures say nothing about new ones"
    if known.drawn is None:
        return f"these are among the {name}: the figures say nothing about new ones"
    return f"some of these are {name}, which were drawn from the same source: judge on images of another one"


def is_among(data: Samples, fingerprint: str, known: DataFacts) -> bool:
    """Return whether the images of ``data``, whose ``fingerprint`` is given, are those of ``known`` or some of them.

    Some of them are recognised if ``known`` is the whole source that they are drawn from, or was drawn from it.
    """
    return known.fingerprint == fingerprint or data.is_part_of(vars(known))


def environment() -> Environment:
    """Return versions, machine and date."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    machine = f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"
    return Environment(versions=versions, machine=machine, date=datetime.now(UTC).date().isoformat())
