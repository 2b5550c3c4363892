"""The artifact: a converted network as a folder of data, written whole or not at all, loaded without any user code."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from seenn_convert.artifact.check import check_runs
from seenn_convert.artifact.files import json_text, read_json, replaced_folder, sha256_of, sha256_of_json, write_json
from seenn_convert.artifact.graphs import graph_from_json, graph_to_json
from seenn_convert.artifact.shapes import PROVENANCE, misfit
from seenn_convert.artifact.shapes import REPORT as REPORT_SHAPE
from seenn_convert.data.preprocessing import Preprocessing
from seenn_convert.errors import ArtifactError, InputError
from seenn_convert.exits.certificates.certificate import Certificate, certificate_from_json
from seenn_convert.ir.program import PassRecord, Program, Stage, StateSpec
from seenn_convert.ir.scores import ExitScore, score_named
from seenn_convert.rows import channels_last
from seenn_convert.runtime.policies import (
    ExitPolicy,
    FixedPolicy,
    PlannedPolicy,
    ThresholdPolicy,
    policy_from_json,
    reads_plan,
)
from seenn_convert.runtime.spiking_model import SpikingModel

DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16}
FORMAT, SCHEMA_VERSION = "seenn-artifact", 1
MANIFEST, PROGRAM, WEIGHTS, REPORT = "manifest.json", "program.json", "weights.safetensors", "report.json"


@dataclass(frozen=True)
class Artifact:
    """A converted network with all it needs to run, to be judged and to be calibrated again.

    Attributes:
        ann: The ANN in the form in which neurons were inserted.
        snn: The spiking program with stem and exit probe, and with a policy head where one was attached.
        timesteps: The longest run T.
        policy: Who leaves when.
        preprocessing: What turns pixels into the model's input.
        class_names: Names by label, where the data had them.
        provenance: Where model and data came from, with hashes, versions, options and seed.
        report: The conversion report, and the evaluation once there is one.
        certificate: What leaving early costs at most; dropped where ``policy`` is not the one that it is about.
    """

    ann: Program
    snn: Program
    timesteps: int
    policy: ExitPolicy
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    class_names: tuple[str, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    certificate: Certificate | None = None

    def __post_init__(self) -> None:
        """Drop a certificate of another policy, and one in the report that is not the artifact's."""
        if self.certificate is not None and dict(self.certificate.policy) == self.policy.to_json():
            return
        object.__setattr__(self, "certificate", None)
        if self.report.get("conversion", {}).get("certificate") is not None:
            conversion = {**self.report["conversion"], "certificate": None}
            object.__setattr__(self, "report", {**self.report, "conversion": conversion})

    def model(self) -> SpikingModel:
        """Return the spiking network as a module of its own: moving or casting it leaves the artifact alone."""
        return SpikingModel(copy.deepcopy(self.snn), self.timesteps, self.policy)

    def save(self, path: Path | str) -> None:
        """Write the artifact to the folder ``path``; a crash leaves what was there before.

        Raises:
            InputError: ``path`` exists and is not an artifact, or cannot be written; or the parts of this one do not
                fit together, so that it could not be loaded.
        """
        _check_fit(self)
        with replaced_folder(Path(path), MANIFEST) as folder:
            store: dict[str, torch.Tensor] = {}
            write_json(folder / PROGRAM, _program_to_json(self, store))
            save_file({key: _own_memory(value) for key, value in store.items()}, folder / WEIGHTS)
            (folder / WEIGHTS).chmod((folder / PROGRAM).stat().st_mode)  # safetensors writes for the owner alone
            manifest = self._manifest({name: sha256_of(folder / name) for name in (PROGRAM, WEIGHTS)})
            write_json(folder / MANIFEST, {**manifest, "checksum": sha256_of_json(manifest)})
            if self.report:
                write_json(folder / REPORT, self.report)

    def _manifest(self, files: Mapping[str, str]) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "timesteps": self.timesteps,
            "policy": self.policy.to_json(),
            "preprocessing": self.preprocessing.to_json(),
            "class_names": None if self.class_names is None else list(self.class_names),
            **({} if self.certificate is None else {"certificate": self.certificate.to_json()}),
            "provenance": dict(self.provenance),
            "files": dict(files),
        }


def load_artifact(path: Path | str, scores: Sequence[ExitScore] = ()) -> Artifact:
    """Return the artifact in the folder ``path``; nothing is unpickled and no code that the files name is imported.

    Args:
        path: The folder.
        scores: Exit scores of your own, as they were given to ``Options``; files name them and hold no code.

    Raises:
        ArtifactError: The folder is missing, of another version, incomplete, or was changed; or the network reads an
            exit score that is neither of this package nor among ``scores``.
        InputError: Two of the scores have one name.
    """
    path = Path(path)
    for score in scores:
        score_named(score.name, scores)
    try:
        manifest = _read_manifest(path)
        for name, expected in manifest["files"].items():
            _check_file(path / name, expected)
        program, store = _read_program(path / PROGRAM), load_file(path / WEIGHTS)
        shapes = _programs_from_json(program, {key: value.to("meta") for key, value in store.items()}, scores)
        check_runs(*shapes, _count(manifest["timesteps"]))
        ann, snn = _programs_from_json(program, {key: channels_last(value) for key, value in store.items()}, scores)
        artifact = _artifact(path / MANIFEST, manifest, ann, snn, _read_report(path / REPORT), scores)
        _check_fit(artifact)
        SpikingModel(artifact.snn, artifact.timesteps, artifact.policy)  # refuses what does not fit together
    except ArtifactError:
        raise
    except Exception as error:  # whatever the content of a damaged file may provoke
        raise ArtifactError(f"{path} is damaged ({type(error).__name__}: {error}); convert the model again") from error
    return artifact


def is_artifact(path: Path) -> bool:
    """Return whether ``path`` looks like an artifact folder."""
    return path.is_dir() and (path / MANIFEST).is_file()


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise ArtifactError(f"{path} is not an artifact folder; give the folder that 'convert' wrote")
    manifest = read_json(path / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"{path / MANIFEST} is not the manifest of an artifact; convert the model again")
    _check_version(path / MANIFEST, manifest)
    checksum, files = manifest.pop("checksum", None), manifest.get("files")
    if checksum != sha256_of_json(manifest) or not isinstance(files, dict) or set(files) != {PROGRAM, WEIGHTS}:
        raise ArtifactError(f"{path / MANIFEST} was changed or damaged (checksum); convert the model again")
    return manifest


def _read_program(path: Path) -> dict[str, Any]:
    program = read_json(path)
    _check_version(path, program)
    return program


def _check_version(path: Path, data: Mapping[str, Any]) -> None:
    if data.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {data.get('schema_version')!r}, this program reads {SCHEMA_VERSION}; "
            "convert the model again or use the version that wrote it"
        )


def _read_report(path: Path) -> dict[str, Any]:
    """Return the report; a network runs without one, so it may be missing, but what is there must be a report."""
    if not path.exists():
        return {}
    report = read_json(path)
    clause = misfit(report, REPORT_SHAPE) or _not_writable(report)
    if clause is not None:
        raise ArtifactError(f"{path} is damaged ({clause}); remove it, or convert the model again")
    return report


def _not_writable(report: Mapping[str, Any]) -> str | None:
    """Return a clause where the report cannot be written again as it was read."""
    try:
        json_text(report)
    except (ValueError, RecursionError):
        return "a number is NaN or infinite, or it is nested too deep"
    return None


def _check_fit(artifact: Artifact) -> None:
    """Raise InputError where policy or class names do not fit the network."""
    timesteps, policy, names = artifact.timesteps, artifact.policy, artifact.class_names
    early = policy.early if isinstance(policy, PlannedPolicy) else policy
    if isinstance(early, ThresholdPolicy) and len(early.thresholds) != timesteps:
        raise InputError(f"the policy has {len(early.thresholds)} thresholds for {timesteps} timesteps; give one each")
    if isinstance(policy, FixedPolicy) and policy.timesteps > timesteps:
        raise InputError(f"the policy leaves after {policy.timesteps} timesteps and the network runs for {timesteps}")
    if reads_plan(policy) and artifact.snn.policy_head is None:
        raise InputError("the policy follows a plan and the network has no policy head; attach one")
    classes = next(spec.shape[0] for spec in artifact.snn.states if spec.name == "readout")
    if names is not None and len(names) != classes:
        raise InputError(f"there are {len(names)} class names for {classes} classes; give one each, or none")


def _artifact(
    path: Path, manifest: Mapping[str, Any], ann: Program, snn: Program, report: Mapping[str, Any],
    scores: Sequence[ExitScore],
) -> Artifact:  # fmt: skip
    names, provenance = manifest["class_names"], manifest["provenance"]
    if not (names is None or isinstance(names, list)) or not isinstance(provenance, dict):
        raise TypeError("class names or provenance are not what they should be")
    clause = misfit(provenance, PROVENANCE, "provenance")
    if clause is not None:
        raise TypeError(clause)
    try:
        policy = policy_from_json(manifest["policy"], scores)
        certificate = _certificate(manifest, policy)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    return Artifact(
        ann=ann,
        snn=snn,
        timesteps=_count(manifest["timesteps"]),
        policy=policy,
        preprocessing=Preprocessing.from_json(manifest["preprocessing"]),
        class_names=None if names is None else tuple(str(name) for name in names),
        provenance=provenance,
        report=report,
        certificate=certificate,
    )


def _certificate(manifest: Mapping[str, Any], policy: ExitPolicy) -> Certificate | None:
    """Return the certificate of a manifest; there need not be one."""
    if manifest.get("certificate") is None:
        return None
    certificate = certificate_from_json(manifest["certificate"])
    if dict(certificate.policy) != policy.to_json():
        raise ArtifactError("the certificate is about another exit policy than the artifact's; convert the model again")
    return certificate


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ArtifactError(f"{path} is missing; convert the model again")
    if sha256_of(path) != expected:
        raise ArtifactError(f"{path} was changed or truncated (checksum); convert the model again")


def _program_to_json(artifact: Artifact, store: dict[str, torch.Tensor]) -> dict[str, Any]:
    snn = artifact.snn
    if snn.stem is None:
        raise ValueError("the spiking program has no stem")
    return {
        "schema_version": SCHEMA_VERSION,
        "input_shape": list(snn.input_shape),
        "input_dtype": str(snn.input_dtype).removeprefix("torch."),
        "ann": graph_to_json(artifact.ann.graph_module, store, "ann"),
        "stem": graph_to_json(snn.stem, store, "stem"),
        "step": graph_to_json(snn.graph_module, store, "step"),
        **({} if snn.policy_head is None else {"policy": graph_to_json(snn.policy_head, store, "policy")}),
        "results": list(snn.results),
        "states": [{"name": s.name, "shape": list(s.shape), "initial": s.initial} for s in snn.states],
        "sources": dict(snn.sources),
        "ann_passes": [[r.name, list(r.changed), [list(pair) for pair in r.declined]] for r in artifact.ann.history],
    }


def _programs_from_json(
    data: Mapping[str, Any], store: Mapping[str, torch.Tensor], scores: Sequence[ExitScore]
) -> tuple[Program, Program]:
    shape = tuple(_count(size) for size in data["input_shape"])
    dtype = DTYPES[data["input_dtype"]]
    sources = tuple((str(name), str(source)) for name, source in data["sources"].items())
    history = tuple(
        PassRecord(str(name), tuple(changed), tuple((str(node), str(why)) for node, why in declined))
        for name, changed, declined in data["ann_passes"]
    )
    ann = Program(graph_from_json(data["ann"], store), Stage.ANN, shape, dtype, sources=sources, history=history)
    snn = Program(
        graph_from_json(data["step"], store, scores),
        Stage.SNN,
        shape,
        dtype,
        results=tuple(data["results"]),
        states=tuple(
            StateSpec(s["name"], tuple(_count(size) for size in s["shape"]), s["initial"]) for s in data["states"]
        ),
        stem=graph_from_json(data["stem"], store),
        policy_head=graph_from_json(data["policy"], store) if "policy" in data else None,
        sources=sources,
    )
    return ann, snn


def _own_memory(value: torch.Tensor) -> torch.Tensor:
    """Return a copy on the CPU: tensors that are parts of one block of memory cannot be stored as they are."""
    return value.cpu().clone(memory_format=torch.contiguous_format)


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r} is not a whole number above 0")
    return value
