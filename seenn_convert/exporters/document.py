"""``seenn.json``: all that a runtime needs beside the graphs, and the checksums of the files of an export."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor

from seenn_convert.artifact.artifact import Artifact
from seenn_convert.artifact.files import read_json, sha256_of, sha256_of_json, write_json
from seenn_convert.artifact.provenance import environment
from seenn_convert.artifact.schema.coding import from_plain, to_plain
from seenn_convert.choices import Reader
from seenn_convert.errors import ArtifactError, ExportError, reason_of
from seenn_convert.exits.certificates.certificate import Certificate
from seenn_convert.exporters.eight_bits import Rounding
from seenn_convert.exporters.exporter import Refusal
from seenn_convert.ir.program import IMAGE, plans_from_image
from seenn_convert.runtime.policies import FixedPolicy, PlannedPolicy, ThresholdPolicy
from seenn_convert.runtime.spiking_model import SpikingModel

Format = Literal["seenn-export"]
FORMAT: Format = "seenn-export"
DOCUMENT, STARTS, VERIFICATION = "seenn.json", "starts.npz", "verification.json"
VERSION = 1
AGAIN = "export the network again"


@dataclass(frozen=True)
class NamedShape:
    """A value of a graph: its name, and the shape of one row."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class StateStart:
    """One tensor of state.

    Attributes:
        name: Of the input of the step; the output that follows it is called ``next_`` and this name.
        shape: Of one row.
        start: The number that it starts at everywhere; None where ``starts.npz`` has an array of this name, which
            broadcasts to the shape of a row.
    """

    name: str
    shape: tuple[int, ...]
    start: float | None


@dataclass(frozen=True, kw_only=True)
class Document:
    """What ``seenn.json`` holds.

    Attributes:
        format: Always ``"seenn-export"``.
        schema_version: Of this document.
        target: ``"onnx"``, ``"onnx-loop"``, ``"pt2"`` or ``"nir"``.
        timesteps: The longest run T.
        policy: The exit policy.
        score: The exit score that the step returns.
        temperatures: The softmax temperature of each timestep.
        input: The image, preprocessed, in single precision.
        drives: What the stem returns and the step takes, in order.
        states: What the step takes behind the drives, in order; it returns logits, score, and the next states.
        plan_inputs: What the policy head takes: ``"image"`` or ``"drives"``; None without a policy head.
        preprocessing: From pixels to the image.
        class_names: Names by label, None if the artifact had none.
        certificate: What early exit costs at most; None if nothing was certified.
        rounding: What weights in 8 bits changed; None if they are in single precision.
        origin: Name of the model that was converted.
        versions: Of Python and the packages that wrote the files.
        reader: For which reader a NIR file was written; None for other targets.
        files: Name -> SHA-256 of the other files.
        checksum: SHA-256 of this document without this key, keys sorted, no spaces.
    """

    format: Format = FORMAT
    schema_version: int = VERSION
    target: str
    timesteps: Annotated[int, Meta(ge=1)]
    policy: Mapping[str, Any]
    score: str
    temperatures: tuple[float, ...]
    input: NamedShape
    drives: tuple[NamedShape, ...]
    states: tuple[StateStart, ...]
    plan_inputs: Literal["image", "drives"] | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    certificate: Certificate | None = None
    rounding: Rounding | None = None
    origin: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    reader: Reader | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    checksum: str = ""


def general_refusals(artifact: Artifact) -> list[Refusal]:
    """Return what no target of graphs and a document can express."""
    found, model = [], artifact.model("float32")
    if model.dtype != torch.float32:
        kind = str(model.dtype).removeprefix("torch.")
        found.append(Refusal("the network", f"it computes in {kind}", "convert the model in single precision"))
    if artifact.precision != "float32":
        remedy = "fit them again in single precision (seenn-convert calibrate --precision float32)"
        found.append(Refusal("the exits", f"they were fitted for {artifact.precision}", remedy))
    if type(artifact.policy) not in (FixedPolicy, ThresholdPolicy, PlannedPolicy):
        kind = type(artifact.policy).__name__
        found.append(Refusal("the exit policy", f"{kind} is your own", "convert with a policy of this package"))
    return found


def document_of(artifact: Artifact, target: str, rounding: Rounding | None = None) -> Document:
    """Return the document of an export, without its files."""
    model, snn = artifact.model(), artifact.snn
    with torch.no_grad():
        drives = model.drive(torch.zeros(2, *snn.input_shape))
    names = drive_names(artifact)
    starts = {name: _single(value) for name, value in state_starts(model).items()}
    return Document(
        target=target,
        timesteps=artifact.timesteps,
        policy=artifact.policy.to_json(),
        score=model.probe.score_name,
        temperatures=tuple(model.probe.temperatures.tolist()),
        input=NamedShape(IMAGE, snn.input_shape),
        drives=tuple(NamedShape(name, tuple(drive.shape[1:])) for name, drive in zip(names, drives, strict=True)),
        states=tuple(StateStart(spec.name, spec.shape, starts[spec.name]) for spec in snn.states),
        plan_inputs=None if snn.policy_head is None else "image" if plans_from_image(snn) else "drives",
        preprocessing=artifact.preprocessing.to_json(),
        class_names=artifact.class_names,
        certificate=artifact.certificate,
        rounding=rounding,
        origin=artifact.provenance.model.name,
        versions=environment().versions,
    )


def drive_names(artifact: Artifact) -> list[str]:
    """Return the names of the step's inputs that are not state."""
    nodes = artifact.snn.graph_module.graph.find_nodes(op="placeholder")
    return [f"drive_{node.name}" for node in nodes[: len(nodes) - len(artifact.snn.states)]]


def state_starts(model: SpikingModel) -> dict[str, Tensor]:
    """Return where each state starts, as small as it is stored: it broadcasts to a row."""
    program = model.program
    return {
        spec.name: torch.zeros(()) if spec.initial is None else program.graph_module.get_buffer(spec.initial).cpu()
        for spec in program.states
    }


def _single(value: Tensor) -> float | None:
    """Return the only number of a tensor, None where it has several."""
    return float(value.flatten()[0]) if bool((value == value.flatten()[0]).all()) else None


def write_starts(artifact: Artifact, folder: Path) -> list[str]:
    """Write the starts that are not one number, and return the names of the files: one or none."""
    starts = state_starts(artifact.model())
    arrays = {name: value.numpy() for name, value in starts.items() if _single(value) is None}
    if arrays:
        np.savez(folder / STARTS, allow_pickle=False, **arrays)
    return [STARTS] if arrays else []


def write_document(document: Document, folder: Path, files: Iterable[str]) -> None:
    """Write ``seenn.json`` with the checksums of ``files``."""
    document = replace(document, files={name: sha256_of(folder / name) for name in files})
    write_json(folder / DOCUMENT, replace(document, checksum=_checksum(to_plain(document))))


def read_document(folder: Path) -> Document:
    """Return the document of an export, once every file is what it was.

    Raises:
        ArtifactError: The folder is no export, of another version, or was changed.
    """
    path = folder / DOCUMENT
    if not path.is_file():
        raise ArtifactError(f"{folder} is not an export (it has no {DOCUMENT}); give a folder that 'export' wrote")
    data = read_json(path)
    if data.get("format") != FORMAT:
        raise ArtifactError(f"{path} is not the document of an export; {AGAIN}")
    if data.get("schema_version") != VERSION:
        raise ArtifactError(
            f"{path} has schema version {data.get('schema_version')!r}, this program reads {VERSION}; {AGAIN}"
        )
    if data.get("checksum") != _checksum(data):
        raise ArtifactError(f"{path} was changed or damaged (checksum); {AGAIN}")
    document = from_plain(data, Document, path, AGAIN)
    for name, expected in document.files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise ArtifactError(f"{file} is missing; {AGAIN}")
        if sha256_of(file) != expected:
            raise ArtifactError(f"{file} was changed or truncated (checksum); {AGAIN}")
    return document


def is_export(path: Path) -> bool:
    """Return whether ``path`` looks like a folder that ``export`` wrote."""
    return path.is_dir() and (path / DOCUMENT).is_file()


def read_starts(document: Document, folder: Path) -> dict[str, Tensor]:
    """Return where each state starts; it broadcasts to a row."""
    arrays: dict[str, Any] = {}
    if STARTS in document.files:
        try:
            with np.load(folder / STARTS, allow_pickle=False) as stored:
                arrays = dict(stored)
        except Exception as error:  # whatever a foreign file may provoke
            raise ArtifactError(f"{folder / STARTS} is damaged ({reason_of(error)}); {AGAIN}") from error
    missing = [state.name for state in document.states if state.start is None and state.name not in arrays]
    if missing:
        raise ExportError(f"{folder / STARTS} lacks the start of {', '.join(missing)}; {AGAIN}")
    return {
        state.name: torch.tensor(state.start) if state.start is not None else torch.from_numpy(arrays[state.name])
        for state in document.states
    }


def _checksum(document: Mapping[str, object]) -> str:
    return sha256_of_json({name: value for name, value in document.items() if name != "checksum"})
