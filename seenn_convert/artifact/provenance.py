"""Where a converted network comes from: model, calibration data, options and environment, with hashes."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from seenn_convert.artifact.files import sha256_of
from seenn_convert.artifact.schema.provenance import ModelOrigin, Provenance
from seenn_convert.artifact.schema.shared import Caution, DataFacts, Environment
from seenn_convert.data.dataset import Dataset
from seenn_convert.frontend.load import Source

PACKAGES = ("seenn_convert", "torch", "onnx", "onnxruntime", "numpy", "safetensors")


def model_provenance(source: Source) -> ModelOrigin:
    """Return name, format and hash of the file that the model was read from, and which output, where it has several."""
    digest = sha256_of(source.path) if source.path is not None else None
    return ModelOrigin(name=source.name, format=source.format, sha256=digest, output_name=source.output_name)


def data_facts(data: Dataset) -> DataFacts:
    """Return name, number and fingerprint of the images of ``data``."""
    return DataFacts(name=Path(data.name).name, images=len(data), fingerprint=data.fingerprint())


def reused(found: Provenance, data: Dataset, fingerprint: str) -> list[Caution]:
    """Return a warning for each use that a provenance says the images of ``data`` were put to before.

    ``fingerprint`` is that of ``data``; images drawn from a source that was used as a whole are recognised, too.
    """
    warnings = []
    if found.calibration is not None and is_among(data, fingerprint, found.calibration):
        words = _reused(fingerprint, found.calibration, "calibration images")
        warnings.append(Caution("calibration_images", words))
    if found.policy is not None and is_among(data, fingerprint, found.policy):
        words = _reused(fingerprint, found.policy, "images of the policy head")
        warnings.append(Caution("policy_images", words))
    return warnings


def is_among(data: Dataset, fingerprint: str, known: DataFacts) -> bool:
    """Return whether the images of ``data``, whose ``fingerprint`` is given, are those of ``known`` or some of them."""
    return known.fingerprint == fingerprint or data.is_part_of(vars(known))


def _reused(fingerprint: str, known: DataFacts, name: str) -> str:
    among = "" if known.fingerprint == fingerprint else "among "
    return f"these are {among}the {name}: the figures say nothing about new ones"


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
