"""Where a converted network comes from: model, calibration data, options and environment, with hashes."""

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from seenn_convert.artifact.files import sha256_of
from seenn_convert.calibration.calibration import Calibration
from seenn_convert.data.samples import Samples
from seenn_convert.frontend.load import Source

PACKAGES = ("seenn_convert", "torch", "onnx", "onnxruntime", "numpy", "safetensors")


def model_provenance(source: Source) -> dict[str, Any]:
    """Return name, format and hash of the file that the model was read from, and which output, where it has several."""
    digest = sha256_of(source.path) if source.path is not None else None
    chosen = {} if source.output_name is None else {"output_name": source.output_name}
    return {"name": source.name, "format": source.format, "sha256": digest, **chosen}


def reused(found: Mapping[str, Any], data: Samples, fingerprint: str) -> list[str]:
    """Return a warning for each use that a provenance says the images of ``data`` were put to before.

    ``fingerprint`` is that of ``data``; images drawn from a source that was used as a whole are recognised, too.
    """
    warnings = []
    for part, name in (("calibration", "calibration images"), ("policy", "images of the policy head")):
        known = found.get(part)
        if known is not None and (known["fingerprint"] == fingerprint or data.is_part_of(known)):
            among = "" if known["fingerprint"] == fingerprint else "among "
            warnings.append(f"these are {among}the {name}: the figures say nothing about new ones")
    return warnings


def provenance(
    model: Mapping[str, Any], data: Samples, calibration: Calibration, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the ``provenance`` of an artifact.

    Args:
        model: As ``model_provenance`` gives it.
        data: The calibration data.
        calibration: The thresholds that came from it.
        options: As plain data.
    """
    return {
        "model": dict(model),
        "calibration": {
            "name": Path(data.name).name,
            "images": len(data),
            "fingerprint": data.fingerprint(),
            "thresholds": calibration.to_json(),
        },
        "options": dict(options),
        "environment": environment(),
    }


def environment() -> dict[str, Any]:
    """Return versions, machine and date."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    machine = f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads"
    return {"versions": versions, "machine": machine, "date": datetime.now(UTC).date().isoformat()}
