"""The sample's record: provenance.json and README.md."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import torch

PACKAGE = "dataset-fashion-mnist"

README = (Path(__file__).parent / "readme_template.md").read_text(encoding="utf-8")


def package_version() -> str:
    """Version of the Debian package that holds the data, or "unknown" where it is not installed."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", PACKAGE]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()


def software_versions() -> dict[str, str]:
    """Versions of the software that decides the trained weights and the exported files."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def digests(folder: Path, names: list[str]) -> dict[str, dict[str, int | str]]:
    """Size in bytes and SHA-256 of each named file in the folder."""
    contents = {name: (folder / name).read_bytes() for name in names}
    return {name: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for name, c in contents.items()}


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write the record as indented JSON."""
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
