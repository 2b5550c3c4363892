"""Where a converted network comes from: model, calibration data, options and environment, with hashes."""

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import torch

from seenn_convert.artifact.files import sha256_of
from seenn_convert.artifact.schema.finetuning import FinetuneOrigin
from seenn_convert.artifact.schema.provenance import ModelOrigin
from seenn_convert.artifact.schema.shared import Caution, Environment, UsedData, WarningCode
from seenn_convert.data.fingerprint import fingerprint_of, shares_in_common
from seenn_convert.data.samples import Samples, draw_of
from seenn_convert.frontend.source import Source

PACKAGES = ("seenn_convert", "torch", "onnx", "onnxruntime", "numpy", "safetensors")

BY_CHANCE = 0.01
"""Share of the smaller of two data sets from which images in common are no chance."""


def model_provenance(source: Source) -> ModelOrigin:
    """Return name, format and hash of the file that the model was read from, which output, and how it was read."""
    digest = sha256_of(source.path) if source.path is not None else None
    return ModelOrigin(
        name=source.name, format=source.format, sha256=digest, output_name=source.output_name, notes=source.notes
    )


def used_data(data: Samples) -> UsedData:
    """Return name and number of the images of ``data``, and what they are known again by."""
    found = fingerprint_of(data)
    return UsedData(
        name=Path(data.name).name,
        images=len(data),
        fingerprint=found.whole,
        drawn=draw_of(data),
        hashes=found.images,
    )


def reused(
    calibration: UsedData | None,
    policy: UsedData | None,
    data: UsedData,
    validation: UsedData | None = None,
    finetuning: FinetuneOrigin | None = None,
) -> list[Caution]:
    """Return a warning for each use that images of ``data`` were put to before.

    They may have been the ``calibration`` or ``validation`` images, those of a ``policy`` head, or those of
    ``finetuning``, which trained the network or chose among its states, as far as these are known.
    """
    uses: tuple[tuple[WarningCode, UsedData | None, str], ...] = (
        ("calibration_images", calibration, "calibration images"),
        ("validation_images", validation, "exit images"),
        ("policy_images", policy, "images of the policy head"),
        ("finetuning_images", finetuning, "images that trained the network"),
        ("finetuning_images", finetuning and finetuning.chosen_by, "images that chose its state in the training"),
    )
    return [
        Caution(code, _reused_words(data, known, name))
        for code, known, name in uses
        if known is not None and overlap(data, known)
    ]


def overlap(one: UsedData, other: UsedData) -> float:
    """Return which share of the images of ``one`` the ``other`` data set holds too, whatever their labels and order.

    It is 0 if they have no more in common than images that may be there twice by chance.
    """
    if one.fingerprint == other.fingerprint:
        return 1.0
    ours, theirs = shares_in_common(one.hashes, other.hashes)
    return ours if max(ours, theirs) >= BY_CHANCE else 0.0


def _reused_words(data: UsedData, known: UsedData, name: str) -> str:
    share = overlap(data, known)
    if share < 1:
        return f"some of these ({share:.2%}) are {name}: judge on images of another source"
    among = "" if overlap(known, data) == 1 else "among "
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
